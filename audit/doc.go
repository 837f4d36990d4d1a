// Package audit writes down what was decided: one [Record] per request, as one
// line of JSON.
//
// A [Recorder] observes outcomes. In the request's goroutine it builds the
// record, hands it to consumers (metrics, evidence) and puts it into the
// bounded queue of a [Log]. The log's Run encodes and writes; a request never
// waits for it. [ReadRecord] reads a line back.
//
// # What a record may hold
//
// Redaction is an allow-list: a record has the fields of its type and no others,
// and each is built from a value that is ours, from the contract or the
// configuration, from a closed set, or is a pseudonym. No header, body, query
// value, token, or raw identifier has a field to be in. The few strings that
// others choose freely (the gateway's request id, the name of the backend's
// instance) are cut, stripped of everything that is not printable, and pass a
// net that catches tokens, keys, card numbers, e-mail addresses and the
// identifiers of the same request. Fields whose value a client chose are marked
// as untrusted.
//
// Identifiers are pseudonyms, made by a [Pseudonymizer] with a secret key:
// equal values give equal pseudonyms as long as the key lives, and nobody
// without the key can try all account numbers. Claims of a token that did not
// prove itself stand under "claimed" and nowhere else.
//
// # Guarantees
//
// Every request that is observed gives exactly one record, also after a panic;
// a record that cannot be queued or written is counted. Six facts are always
// present: trace id, client, account, principal, path, and outcome of the
// authentication. A line is at most [MaxLine] bytes and holds no control
// character but its final line break. Plain allowed records may use only three
// quarters of the queue, so that denials survive a flood of them.
//
// # What it leaves to others
//
// Counting cells belongs to assess/evidence, Prometheus to audit/metrics,
// destinations other than a writer to audit/sink. The package reads no clock:
// time is the request's. It opens a file only in [OpenFile], and closing it is
// the caller's.
package audit
