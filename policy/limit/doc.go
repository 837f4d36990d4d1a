// Package limit takes what a request costs from all limits, and judges the
// result: rate.app, rate.customer, rate.quota and tok.replay.
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
// An account is a key only if az.account, or az.delegate for a partner, permits
// it for this request; every account that the request names is charged once, in
// the same step. Without one the client is charged. An account belongs to the
// issuer whose token asserts it: equal account ids of two issuers are two
// accounts, so that no issuer can use up what belongs to the customers of
// another.
//
// Limits are taken before the body is read. Where the account boundary waits for
// the body, the accounts of the head are judged by the same selectors; if the head
// names none and the token is for a single account, that one is charged, since no
// other can be permitted.
//
// # What it leaves to others
//
// Counting and its memory bounds belong to ratelimit, the choice of limits and
// groups to policy/compile.
package limit
