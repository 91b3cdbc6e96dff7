// A real OpenID provider for tests (oidc-provider 9): code with PKCE, device flow, client
// credentials, refresh, RFC 8693 exchange with `act`, JWT access tokens with groups, key rotation.
//
//   PORT=0 node idp.mjs            prints `idp ready <issuer>`
//   POST /__rotate?alg=ES256       a new key signs, the old ones stay in the JWKS
//   POST /__rotate?alg=RS256&drop  a new key signs, the old ones are gone
//   GET  /__hits                   how often each path was asked for
import http from 'node:http';
import { randomUUID } from 'node:crypto';
import * as jose from 'jose';
import Provider, { errors } from 'oidc-provider';

const AUDIENCE = process.env.AUDIENCE || 'weir';
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';
const SCOPE = 'weir groups';
const users = {
  alice: ['eng', 'agents'],
  bob: ['eng', 'data-owners', 'dba'],
  mallory: [],
};

let issuer;
let keys;
let answer;
const hits = {};

async function newKey(alg) {
  const { privateKey } = await jose.generateKeyPair(alg, { extractable: true });
  return { ...(await jose.exportJWK(privateKey)), kid: randomUUID().slice(0, 8), alg, use: 'sig' };
}

function publicKeys() {
  return keys.map(({ d, p, q, dp, dq, qi, ...rest }) => rest);
}

function resourceServer(lifetime) {
  return {
    scope: SCOPE,
    audience: AUDIENCE,
    accessTokenFormat: 'jwt',
    accessTokenTTL: lifetime,
    jwt: { sign: { alg: keys[0].alg } },
  };
}

function clients() {
  const id_token_signed_response_alg = keys[0].alg;
  return [
    {
      client_id: 'weir-console',
      client_secret: 'console-secret',
      redirect_uris: ['http://127.0.0.1:9500/cb'],
      grant_types: ['authorization_code', 'refresh_token'],
      backchannel_logout_uri: 'http://127.0.0.1:9500/bcl',
      id_token_signed_response_alg,
    },
    {
      client_id: 'weir-cli',
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      redirect_uris: ['http://127.0.0.1/cb'],
      grant_types: ['authorization_code', 'refresh_token', DEVICE],
      id_token_signed_response_alg,
    },
    {
      client_id: 'agent',
      client_secret: 'agent-secret',
      redirect_uris: [],
      response_types: [],
      grant_types: ['client_credentials', EXCHANGE],
      scope: SCOPE,
      id_token_signed_response_alg,
    },
  ];
}

function configuration() {
  return {
    jwks: { keys },
    clients: clients(),
    cookies: { keys: [randomUUID()] },
    scopes: ['openid', 'offline_access', 'groups', 'weir'],
    claims: { openid: ['sub'], groups: ['groups'], profile: ['name'] },
    conformIdTokenClaims: false,
    findAccount: (ctx, id) =>
      users[id] && { accountId: id, claims: () => ({ sub: id, name: id, groups: users[id] }) },
    extraTokenClaims: (ctx, token) => ({
      groups: users[token.accountId],
      ...(ctx.oidc.actor && { act: ctx.oidc.actor }),
    }),
    ttl: {
      AccessToken: 300,
      ClientCredentials: 300,
      DeviceCode: 600,
      Grant: 3600,
      IdToken: 300,
      Interaction: 600,
      RefreshToken: 3600,
      Session: 3600,
    },
    features: {
      backchannelLogout: { enabled: true },
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      dPoP: { enabled: true },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => `urn:${AUDIENCE}`,
        useGrantedResource: () => true,
        getResourceServerInfo: () => resourceServer(300),
      },
    },
  };
}

// RFC 8693: the client, or the holder of an actor token, acts for the subject.
async function exchange(provider, ctx) {
  const { subject_token: subjectToken, actor_token: actorToken, scope } = ctx.oidc.params;
  const set = jose.createLocalJWKSet({ keys: publicKeys() });
  const verify = async (token) => {
    try {
      return (await jose.jwtVerify(token, set, { issuer })).payload;
    } catch (error) {
      throw new errors.InvalidGrant(error.code);
    }
  };
  const { client } = ctx.oidc;
  const subject = await verify(subjectToken);
  const actor = actorToken ? await verify(actorToken) : { sub: client.clientId };
  ctx.oidc.actor = { sub: actor.sub ?? actor.client_id, ...(actor.act && { act: actor.act }) };
  const token = new provider.AccessToken({
    accountId: subject.sub,
    client,
    grantId: randomUUID(),
    scope: scope || SCOPE,
  });
  token.resourceServer = new provider.ResourceServer(AUDIENCE, resourceServer(120));
  ctx.body = {
    access_token: await token.save(),
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    token_type: 'Bearer',
    expires_in: 120,
  };
}

function build() {
  const provider = new Provider(issuer, configuration());
  provider.registerGrantType(EXCHANGE, (ctx) => exchange(provider, ctx), [
    'subject_token',
    'subject_token_type',
    'actor_token',
    'actor_token_type',
    'audience',
    'scope',
    'requested_token_type',
    'resource',
  ]);
  provider.on('server_error', (ctx, error) => console.error('server_error', error));
  answer = provider.callback();
}

async function rotate(url) {
  const alg = url.searchParams.get('alg') || 'RS256';
  keys = [await newKey(alg), ...(url.searchParams.has('drop') ? [] : keys)];
  build();
  return keys.map((key) => [key.kid, key.alg]);
}

const server = http.createServer(async (request, response) => {
  const url = new URL(request.url, issuer);
  hits[url.pathname] = (hits[url.pathname] || 0) + 1;
  if (request.method === 'POST' && url.pathname === '/__rotate') {
    return response.end(`${JSON.stringify(await rotate(url))}\n`);
  }
  if (url.pathname === '/__hits') return response.end(`${JSON.stringify(hits)}\n`);
  return answer(request, response);
});

server.listen(Number(process.env.PORT || 9400), '127.0.0.1', async () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  keys = [await newKey(process.env.ALG || 'RS256')];
  build();
  console.log('idp ready', issuer);
});
