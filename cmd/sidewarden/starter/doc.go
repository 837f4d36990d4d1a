// Package starter writes the first configuration for a contract: what the
// contract says, what its names suggest, and what nobody but the operator knows.
//
// The three are told apart in the file. What the contract says stands there as it
// is. What was guessed from a name has a comment that begins with "guess:". What
// is not known is a reference to an environment variable, which stops `check` with
// its name until it is set or replaced, and what somebody has to decide has a
// comment that begins with "decide:".
//
// # Guarantees
//
// The same contract and options give the same bytes. A contract is not trusted:
// whatever its names are, the text is a configuration file, what it means is what
// was meant, and no name ends a comment, adds a field or becomes a reference. A
// name that the file format cannot hold is left out and said so.
package starter
