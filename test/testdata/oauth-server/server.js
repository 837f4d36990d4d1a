// The OAuth server of the tests: oidc-provider on loopback, with clients that get tokens for themselves (client
// credentials), JWT access tokens by RFC 9068 or opaque ones by resource, DPoP, introspection and revocation.
//
//     node server.js HOST:PORT KEYS
//
// It listens on HOST:PORT, where port 0 lets the system choose. Its signing keys come from the file KEYS, which it writes
// when it is not there, so that a server that was stopped comes back with the keys it had. Tokens live in memory.
//
// Standard output has one JSON object a line: first {"issuer"}, then an answer to each command, {"keys"}, the key ids in
// the order of preference. The commands, one a line of standard input, are those of a key rotation:
//
//     publish   adds a pair of keys to the key set that signs nothing yet
//     rotate    signs with the pair that was published last
//     retire    removes every pair but the one that signs
//
// It ends when standard input does, so that nothing outlives the test that started it.
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import Provider, { errors } from 'oidc-provider';

const [address, keysFile] = process.argv.slice(2);

// Every client's secret is its id and "-secret". Only the sidecar may introspect; it gets no tokens.
const clients = {
  'orders-app': { alg: 'RS256', ttl: 600, account: 'acct-1' },
  'sites-app': { alg: 'ES256', ttl: 600, account: 'acct-2' },
  'brief-app': { alg: 'RS256', ttl: 10, account: 'acct-1' },
  'lasting-app': { alg: 'RS256', ttl: 7200, account: 'acct-1' },
  sidecar: { grants: [] },
};

// The resources (RFC 8707) that a token can be for.
const resources = {
  'https://api.example.net': 'jwt',
  'https://other.example.net': 'jwt',
  'https://opaque.example.net': 'opaque',
};

// Pairs of private JWKs, one for RS256 and one for ES256; the first pair signs.
let pairs = existsSync(keysFile) ? JSON.parse(readFileSync(keysFile)) : [newPair()];

function newPair() {
  const name = randomUUID();
  const jwk = ({ privateKey }, alg) => ({ ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: `${alg}-${name}` });
  return [
    jwk(generateKeyPairSync('rsa', { modulusLength: 2048 }), 'RS256'),
    jwk(generateKeyPairSync('ec', { namedCurve: 'P-256' }), 'ES256'),
  ];
}

// State that outlives a provider: a rotation makes a new one, as the keys of one are fixed.
const nonceSecret = randomBytes(32);
const cookieKey = randomBytes(32).toString('hex');
const store = new Map();

// Store is what oidc-provider calls an adapter, as far as client credentials use it. Expiry is the provider's to judge.
class Store {
  constructor(model) {
    this.model = model;
  }

  key(id) {
    return `${this.model}:${id}`;
  }

  async upsert(id, payload) {
    store.set(this.key(id), payload);
  }

  async find(id) {
    return store.get(this.key(id));
  }

  async destroy(id) {
    store.delete(this.key(id));
  }
}

function newProvider() {
  return new Provider(issuer, {
    adapter: Store,
    clients: Object.entries(clients).map(([id, client]) => ({
      client_id: id,
      client_secret: `${id}-secret`,
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: client.grants ?? ['client_credentials'],
      response_types: [],
      redirect_uris: [],
      scope: 'orders:read orders:write',
    })),
    scopes: ['orders:read', 'orders:write'],
    jwks: { keys: pairs.flat() },
    cookies: { keys: [cookieKey] }, // no browser comes, but a provider without keys complains
    ttl: { ClientCredentials: (ctx, token) => token.resourceServer.accessTokenTTL },
    extraTokenClaims: (ctx, token) => ({ account_id: clients[token.clientId].account }),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      dPoP: { enabled: true, nonceSecret, requireNonce: () => true },
      introspection: { enabled: true, allowedPolicy: (ctx, client) => client.clientId === 'sidecar' },
      revocation: { enabled: true, allowedPolicy: (ctx, client, token) => client.clientId === token.clientId },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (ctx, resource, client) => {
          if (!Object.hasOwn(resources, resource)) {
            throw new errors.InvalidTarget();
          }
          const { alg, ttl } = clients[client.clientId];
          return {
            audience: resource,
            scope: 'orders:read orders:write',
            accessTokenFormat: resources[resource],
            accessTokenTTL: ttl,
            jwt: { sign: { alg } },
          };
        },
      },
    },
  });
}

function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

// useKeys makes the current keys the provider's, and those of the next start.
function useKeys() {
  writeFileSync(keysFile, JSON.stringify(pairs), { mode: 0o600 });
  serve = newProvider().callback();
}

const commands = {
  publish: () => pairs.push(newPair()),
  rotate: () => pairs.unshift(pairs.pop()),
  retire: () => pairs.splice(1),
};

let issuer;
let serve;
const server = createServer((request, response) => serve(request, response));
const [host, port] = address.split(':');
server.listen(Number(port), host, () => {
  issuer = `http://${host}:${server.address().port}`;
  useKeys();
  say({ issuer });

  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    commands[line]();
    useKeys();
    say({ keys: pairs.flat().map((key) => key.kid) });
  });
  lines.on('close', () => process.exit(0));
});
