// A certified OpenID provider, which isn't a UAA. It prints a line of JSON with its address and tokens of each kind, asked for
// as programs and browsers ask for them, and serves its keys until it is ended.
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { Provider } from 'oidc-provider';

const server = createServer().listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;
const key = (kid, alg, made) => ({ ...made.privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg });
const resources = {
  'urn:billing': { scope: 'billing:finance billing:sre billing:read', audience: 'cf_billing', alg: 'RS256' },
  'urn:billing:es': { scope: 'billing:finance billing:sre billing:read', audience: 'cf_billing', alg: 'ES256' },
  'urn:billing:ps': { scope: 'billing:finance billing:sre billing:read', audience: 'cf_billing', alg: 'PS256' },
  'urn:other': { scope: 'billing:finance billing:sre', audience: 'somebody_else', alg: 'RS256' },
};
const callback = 'http://127.0.0.1:1/callback';
const provider = new Provider(issuer, {
  jwks: { keys: [
    key('rsa', 'RS256', generateKeyPairSync('rsa', { modulusLength: 2048 })),
    key('rsa-pss', 'PS256', generateKeyPairSync('rsa', { modulusLength: 2048 })),
    key('ec', 'ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' })),
  ] },
  clients: [
    { client_id: 'web', client_secret: 'web-secret', grant_types: ['authorization_code', 'refresh_token'], redirect_uris: [callback] },
    // The daemon, as far as browsers know it.
    { client_id: 'pages', client_secret: 'pages-secret', grant_types: ['authorization_code'], redirect_uris: ['http://127.0.0.1:1/sign-in/corporate/callback'], post_logout_redirect_uris: ['http://127.0.0.1:1/sign-in'] },
    { client_id: 'pipeline', client_secret: 'pipeline-secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
  ],
  pkce: { required: () => true },
  scopes: ['openid', 'offline_access'],
  cookies: { keys: ['of-the-tests'] },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  loadExistingGrant: async (ctx) => {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope('openid offline_access');
    for (const [resource, { scope }] of Object.entries(resources)) grant.addResourceScope(resource, scope);
    await grant.save();
    return grant;
  },
  features: {
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => 'urn:billing',
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource) => {
        const { scope, audience, alg } = resources[resource];
        return { scope, audience, accessTokenFormat: 'jwt', accessTokenTTL: 600, jwt: { sign: { alg } } };
      },
    },
  },
});
server.on('request', provider.callback());

async function token(client, fields) {
  const answer = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${client}:${client}-secret`).toString('base64')}` },
    body: new URLSearchParams(fields),
  });
  const body = await answer.json();
  if (!answer.ok) throw new Error(JSON.stringify(body));
  return body;
}
const ofClient = async (resource, scope) =>
  (await token('pipeline', { grant_type: 'client_credentials', resource, scope })).access_token;

// The authorization code flow, as a browser goes through it.
async function signIn(login, scope) {
  const jar = new Map();
  const visit = async (url, init = {}) => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(new URL(url, issuer), { redirect: 'manual', ...init, headers: { cookie } });
    for (const set of answer.headers.getSetCookie()) {
      const [name, value] = set.split(';')[0].split('=');
      jar.set(name, value);
    }
    return answer;
  };
  const verifier = randomBytes(32).toString('base64url');
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const query = new URLSearchParams({
    client_id: 'web', response_type: 'code', redirect_uri: callback, scope, code_challenge: challenge,
    code_challenge_method: 'S256', nonce: 'once', prompt: 'consent', resource: 'urn:billing',
  });
  let answer = await visit(`/auth?${query}`);
  for (let step = 0; step < 10; step += 1) {
    const to = answer.headers.get('location');
    if (to?.startsWith(callback)) {
      const code = new URL(to).searchParams.get('code');
      return token('web', { grant_type: 'authorization_code', code, redirect_uri: callback, code_verifier: verifier, resource: 'urn:billing' });
    }
    if (to) {
      answer = await visit(to);
      continue;
    }
    const action = /action="([^"]+)"/.exec(await answer.text())[1];
    const prompt = step < 3 ? { prompt: 'login', login, password: 'any' } : { prompt: 'consent' };
    answer = await visit(action, { method: 'POST', body: new URLSearchParams(prompt) });
  }
  throw new Error('the sign-in has no end');
}

const signedIn = await signIn('person-1', 'openid offline_access billing:read');
console.log(JSON.stringify({
  issuer,
  finance: await ofClient('urn:billing', 'billing:finance'),
  sre: await ofClient('urn:billing', 'billing:sre'),
  neither: await ofClient('urn:billing', 'billing:read'),
  es256: await ofClient('urn:billing:es', 'billing:sre'),
  ps256: await ofClient('urn:billing:ps', 'billing:sre'),
  other_audience: await ofClient('urn:other', 'billing:sre'),
  person: signedIn.access_token,
  id_token: signedIn.id_token,
  refresh_token: signedIn.refresh_token,
}));
