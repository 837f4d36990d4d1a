// Package limit takes what a request costs from all limits, and judges the
// result: rate.app and tok.replay.
//
// A [Stage] is the spending stage. It asks every limit, and whether the token id
// was used before, once per request and writes one verdict into each slot of
// Request.Spent. [Limits] and [Replay] are the checks that read the slots.
//
// # All or nothing
//
// Entries of one group are taken in one atomic step: either every one permits
// and all are spent, or nothing is. A token id is thus not used up by a request
// that a rate denies, nor a rate by a replay. Each slot holds the answer of its
// own entry alone. Groups do not touch each other; compile makes one per mode
// and gives each its own buckets, so that a shadowed limit never starves an
// enforced one. The stage does not know what a group means: swapping groups
// changes no verdict.
//
// A replay that cannot be asked, because the token has no id, takes no part in
// the step, so that requests without a good token are limited all the same.
//
// # Keys
//
// A client is the pair of issuer and client, and is a key only if a credential
// proved it and no tok.* verdict of the head objects; everybody else is counted
// by peer prefix. Nobody can thus spend from a stranger's bucket, and a refresh
// of the token gives no fresh one. Parts of a key carry their kind and length:
// no two lists of parts give one key.
//
// # What it leaves to others
//
// Counting and its memory bounds belong to ratelimit, the choice of limits and
// groups to policy/compile.
package limit
