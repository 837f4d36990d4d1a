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
// A use of a token that cannot be asked, because the token has no id, takes no part
// in the step, so that requests without a good token are limited all the same. A
// [Store] that is elsewhere cannot be part of one step with a limit here: it is asked
// after the limits, so that the worst is a limit spent by a replay.
//
// # Uses of tokens
//
// A token is known by issuer and id, an opaque one without id by its bytes, in a digest
// behind a space that is the stage's own: a gateway that keeps its replays in the same store has other keys, and does
// not make every token look replayed. Its key belongs to the first owner. For
// [TokenUse.SameSender] that is who sends it, by certificate, else key of DPoP, else
// network; for single use it is nobody, so that no second use is the same, but for a
// retry of the gateway, which is known by the number that the gateway gave the
// request.
//
// A request that a verdict of tok.* refuses, in whatever mode, asks whose the token is
// and does not use it: its use is a peek. That a verdict is in shadow makes no
// difference, so that the modes are equal; compile warns where it leaves a way around
// single use.
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
