// Package evidence counts what traffic says about every control: a cell for
// each operation and control, split into strata by reason and backend instance.
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
// against. A limit is violated by a window, not by a request: only what
// persists past a window of 60 seconds counts as a leak. Requests that match no
// operation are never clean, so refusing them stays ambiguous.
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
// what did not fit. Callers are known by their client, and kept only as keyed
// hashes; all callers without a proven client are one.
//
// # What it leaves to others
//
// What a verdict or an answer means belongs to policy, records to audit.
// [ReadDocument] and the Write functions serve commands that read the cells of
// a running sidecar; nothing here listens, logs or keeps files.
package evidence
