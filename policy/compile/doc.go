// Package compile turns a configuration and its contract into a policy. It is the
// only package that knows every check: it chooses them, fixes their order (that of
// the catalogue), binds them to modes, and refuses what contradicts itself.
//
// # What is refused
//
// A control may enforce only where the controls that it needs enforce too;
// otherwise a shadowed rule would open a hole under an enforcing one. The problem
// names the lines to add. A control that enforces by its name needs something to
// judge by, and one that this version does not have is refused. Everything else that cannot work (a contract, key set
// or certificate that cannot be read, settings of an operation that does not
// exist) is a problem too, and all problems are returned at once.
//
// Several contracts make one set of operations: what two of them claim, be it an id
// or requests, is refused with both places. So is a health check that would open an
// operation.
//
// What is allowed and probably not meant is a warning: operations that no rule can
// judge, that only the contract makes public, or that enforce alone while another
// spelling of their path passes by; and delegations and exceptions that have
// expired or soon will.
//
// # Reloading
//
// Compile takes the parts of the policy in force. Key sets, token caches, buckets
// and replay stores whose part of the configuration is unchanged are used again,
// so that a reload neither forgets a quota nor fetches keys anew. A key set with
// other settings begins with the keys of the one that it replaces, and authorities
// count by their content. Compile starts nothing: it returns what has to run, by
// stable ids.
package compile
