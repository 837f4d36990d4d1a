// Package evidence counts what traffic says about every control: a cell for
// each operation and control, split into strata by reason and backend instance; what
// callers send as credentials; and which endpoints are asked for.
//
// # A fold over records
//
// A [Store] consumes audit records, nothing else. The same records in the same
// order give the same cells, so a file of records can be read again later. What
// a cell means is decided when it is read: [Store.Cells] applies the baseline
// rule, derives the state of each position, and looks up the class in
// [ClassOf], which is the table of the measurement plan (4.5).
//
// # What counts
//
// Only isolated observations count: exactly one control denied. A request that
// violates two controls is counted as confounded and decides nothing. At the
// gateway, each arrival is a leak, but the number of attempts is unknown, so
// the state is OPEN and a gateway is never called enforcing from here. At the
// backend, an answer that lets the violation through is a leak without further
// proof, while a refusal counts only against a baseline: the same operation
// and instance must be known to serve requests that the policy has nothing
// against. Requests that match no operation are never clean, so refusing them stays
// ambiguous.
//
// # Answers as if nothing were there
//
// A 404 or an empty list refuses only if the thing exists. Proof of that is a
// clean request for the very same thing, by the same operation, that was served
// before the violation and another one after it - with contents, where the answer
// was an empty list - and no DELETE between them that may have deleted the thing
// or what it lies in. With the proof the answer is a refusal like others, held
// against the baseline, and the cell carries MASKED; without, it stays ambiguous.
// What a thing is follows from the record alone: its path and the accounts that
// it names, as pseudonyms. Requests with a body, or with query parameters that
// are no accounts, are about more than that, so their answers stay ambiguous, as
// do those about things that were never served, and those that are 404 because
// one thing does not belong to another. Headers that name no account are not seen.
//
// # What explains inconsistency
//
// Of the trials that count at the backend, each cell keeps an even choice of 256.
// Where some leaked and others did not, reading the cell asks which of instance,
// reason and caller tells them apart (measurement plan, 4.7): the one with the
// largest mutual information whose p-value is below 1 % names the modifier, by 999
// shuffles that are the same for the same trials. Two that cannot be told apart
// name none. INTERMITTENT says that none does, and needs 8 leaks and 8 refusals.
// Every trial counts, also the repeated ones of one caller. BY_OPERATION compares
// operations of one resource: those whose templates are alike up to the first
// parameter that is not an account.
//
// As long as no credential proved itself, the client's token may be consumed in
// front of us: tok.* is untestable then, as it is when the configuration says so.
//
// A request that did not prove to have come through the gateway, where a proof is
// configured, says nothing about the gateway and shows that there is a way around
// it: cells of its operation carry BYPASSABLE. Its violation of path.gateway is one
// of the backend, which serves who comes around; the gateway has no part in that
// control.
//
// # Limits
//
// A limit is violated by a window, not by a request. The first denial of a key
// begins one, as long as the limit needs to give back its burst, at least a second;
// of a quota as long as its period. One trial is one window of one key, in each
// operation that a denial was seen of, at each position. It leaked once the volume
// of the key in the window - all that the backend served, whatever the policy said;
// at the gateway all that arrived - is more than the limit allows in any span as
// long, and a fifth more, at least 2: a burst, and once more what the rate gives. A
// backend that has the same bucket, whenever it began to fill, or a burst for each
// fixed window as long as these, stays below that and never reads as leaking. A window that did
// not leak was refused if any request over the limit was, and is ambiguous if none
// was, because so much may be allowed. Refusals need the baseline, and a clean
// request served in the last 15 minutes; what the backend refuses of a key in its
// window, or as long after it, is no refusal of a clean request.
//
// A window that leaked although some of it was refused shows a limiter which is not
// that of the policy. It is a leak, and yet not the absence of a control: such trials
// make the state PART, also where all of them leaked, and with an open gateway the
// class INCONSISTENT. If in all of them several instances answered, each of which kept
// to the limit by itself, and in some each refused, the instances count apart:
// BY_INSTANCE.
//
// What a record names coarsely is no key: peers are cut to their network, callers
// without a proven client are all one, and of several accounts it is not told which
// one was exhausted. Such windows never leak, and neither do those of limits that
// Options do not have. Records may come in any order within a window; volume of
// records that were consumed before its first denial is not counted.
//
// # Small numbers
//
// Small numbers are said to be small. Grades and bounds are not computed yet,
// so an enforcing position always carries LOW_N, and no text of this package
// claims more than "refused so far".
//
// # Bounds
//
// Everything is in memory and bounded. At most MaxStrata strata and baselines
// exist; beyond, violations fall into one stratum "other" for each cell, where
// leaks still count and refusals never do. The 33rd instance is "other" too.
// Of each operation the 512 things that were served last are known, and 64 masked
// answers wait for a proof; 256 deletions are known of all of them together.
// With the defaults and 200 operations of all controls, a store that is full in
// every respect takes less than 40 MiB; a test fills one. [Store.Stats] counts
// what did not fit. Each limit follows 256 windows, and each cell 64 trials of them;
// what other keys do while all are open is not counted. Callers are known by their client, and kept only as keyed
// hashes; all callers without a proven client are one.
//
// # The census
//
// A [Census] is another fold over the same records. It says what callers send: which
// algorithms, keys, types, scopes and sender constraints their tokens have, how long
// they live, how old they are when they are used, what they lack, and what was
// refused of them and why; by issuer, client and operation. Cells describe a policy
// and end with it. The census describes callers, so that a reload, which may come with
// every rotation of a secret, ends nothing: it begins with the process.
//
// Who anybody is stands on proof. What did not prove itself is counted for the issuer
// that it names, if that is configured, and for nobody else: it makes no client and no
// key id. Names are those of closed sets, of the contract and of the configuration, or
// pseudonyms.
//
// It says also how both hops were secured: versions, cipher suites, and the certificates
// that authorities vouched for, at most 256 of each hop.
//
// It is bounded too. 1000 clients and 2048 pairs of client and operation have counts
// of their own, each with 32 names of a kind, and 64 key ids of each issuer are told
// apart; everything else is counted as "other". Who came first stays. A census that
// is full in every respect takes less than 20 MiB and makes a document of at most
// [MaxDocument] bytes; a test fills one. [Census.Stats] counts what did not fit.
//
// # Endpoints
//
// [Endpoints] are a third fold, which goes on over a reload like the census. They count
// the operations that are asked for, and what is asked for that no operation is: what
// the backend serves of that is a shadow endpoint. They keep templates of words of the
// contract and common ones, and of no other, so that no name of a client gets in. At
// most [DefaultMaxEndpoints] undeclared ones are told apart. What is served to a known
// caller comes before what is served to anybody, and this before what is not there, so
// that a scanner neither fills the list nor empties it. Full, it takes less than 2 MiB.
//
// # What it leaves to others
//
// What a verdict or an answer means belongs to policy, records to audit.
// [ReadDocument] and the Write functions serve commands that read the cells of
// a running sidecar; nothing here listens, logs or keeps files.
package evidence
