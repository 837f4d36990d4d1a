// Package token turns the credential of a request into an identity, and judges
// it: it is a stage for each kind of credential, [Authenticator] for tokens,
// [APIKeys] for API keys and [Headers] for what a gateway asserts, and one check for
// each tok.* control of the head phase, for key.valid and for path.gateway.
//
// # Direction
//
// [Authenticator.Authenticate] takes the token out of its header, reads it, finds
// the key and verifies the signature. It answers with facts: what the token says,
// whether it proved itself, and who sends it. The checks [Present], [Sig], [Iss],
// [Typ], [Aud], [Time], [TTL], [Bind] and [Revoked] judge those facts, each by one
// rule that stands at the top of its file. An expired token of a known key therefore
// has an identity, and only tok.time denies it.
//
// [Headers] is the stage for gateways that consume the token and assert the caller
// in headers instead. What proves those is [Gateway], the check of path.gateway:
// without it there is no identity.
//
// # Who sends a token
//
// A token may be bound to who may send it, by its claim cnf: to a key (RFC 9449) or to
// a certificate (RFC 8705). What a request proves of its sender is a fact beside the
// token, policy.Sender, and [Bind] compares the two; a [SenderConstraint] asks that
// every token of an issuer is bound. With [DPoP] the proof of a request is read and
// held to RFC 9449 section 4.3 once the token has proved itself, and remembered when
// it would pass and the token names its key: strangers get no signature verified, and
// fill no store. Nothing of a sender is cached.
//
// The certificate is that of the TLS connection, or, where [Certificates] know the
// gateway by its proof, the one that it passes on (RFC 9440), and then never the
// gateway's own. Whether an authority vouches for it is for TLS to say: what binds a
// token is the certificate itself. It is looked for where a token is bound to one, or
// where somebody compares senders.
//
// # Opaque tokens and revocation
//
// Where an issuer has an [Introspection], it is asked (RFC 7662): for the facts of a
// token that is opaque to everybody else, or whether a JWT that proved itself is still
// active. A token goes to its own issuer and to no other: a JWT to the one that it
// names, an opaque token to the one whose prefix it begins with. A JWT of an issuer
// without a key set is opaque, too; whatever else has the form of a JWT is never sent
// to an issuer that it does not name. What an issuer said is remembered for a short
// time, as facts: expiry, audience, type and scopes are judged on every use. One
// question at a time is asked about one token, for as long as its timeout allows; a
// request waits for a part of that time, and the next one finds the answer.
// [Questions] owns what is on its way.
//
// # API keys
//
// [APIKeys] is the stage for keys that a file lists by salted hashes ([ReadAPIKeys],
// [HashAPIKey]). A key of the file proves itself and has the identity that stands
// beside it, also when it has expired or is disabled: that is for [Key] to judge, the
// check of key.valid. Of tok.* only [Present] says anything about it.
//
// # Guarantees
//
// A JWT proves itself only in one form: at most 8 KiB, three segments of strict
// base64url (RFC 7515 section 2, RFC 4648 section 3.5), a header and claims that
// are one JSON object each without duplicate names, invalid UTF-8 or trailing
// bytes, no header member that changes how the token is read, and a signature by
// a key of the issuer that the token names, with the algorithm that is pinned to
// that key and allowed for that issuer (RFC 8725 sections 3.1 and 3.8). The claims
// are those of the signed bytes, never of anything around them.
//
// No request waits for a key set: [KeySet.Run] refreshes it beside the requests,
// and a set that was never loaded or is too old proves nothing. The cache holds
// verified facts, never verdicts, and every hit still needs its key in the current
// set, so a removed key stops working with the next refresh. No constructor starts
// a goroutine or opens a connection; the goroutines that ask an issuer are at most 64
// for each, end by the timeout, and are joined by [Questions.Run].
//
// The JOSE library parses single keys (jwk) and is the oracle of the tests (jws).
// Nothing of a client reaches it.
//
// # What it leaves to others
//
// Whether a token id was used before is judged in policy/limit, scopes and
// accounts in policy/entitlement and policy/account. Answers and their bodies are
// the proxy's, modes are compile's.
package token
