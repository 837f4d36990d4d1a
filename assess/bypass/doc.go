// Package bypass says what came, or can come, around the gateway or the sidecar: the
// passive tests BY1, BY2 and BY3 of the measurement plan (5.5).
//
// # Arrivals
//
// [Arrivals] are a fold over audit records, as the cells of package evidence are. They
// count the requests that path.gateway denies: by operation, by the network of the peer
// and by reason. They begin with the process and go on over a reload. Names are those
// of the contract, of closed sets, and networks as the records have them; no address
// of a client is kept.
//
// # The listener audit
//
// [Audit] reads the socket table of the network namespace that the sidecar is in, at the
// start and every 10 seconds. In a pod that is the namespace of the backend too. It
// tells whether the backend's port listens beyond loopback (BY2), and which established
// connections to that port are not the sidecar's own (BY3), whose peers are pseudonyms.
// Connections that come and go between two looks are not seen, and where a packet
// filter closes a port, the table does not tell.
//
// # What is claimed
//
// A test that could not be made is unknown, with a reason, and never clean. What is
// found stays found for the life of the process, at the listeners too: [Document] says
// what is there now beside it. No text says more than that nothing was found on the
// tests that were made, since when.
//
// # Bounds
//
// Everything is in memory. 1000 sources, 1000 peers and 2048 operations are told apart,
// all others are "other". A socket table of more than [MaxTable] bytes is not read.
//
// # What it leaves to others
//
// Reading files, telling which sockets are the sidecar's own, and logging belong to
// cmd/sidewarden. Paths that take requests of one's own, such as other addresses and
// ports of a pod, are not tested here.
package bypass
