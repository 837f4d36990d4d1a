package schema

// digest stands for a value: equal values have equal ones.
type digest [2]uint64
