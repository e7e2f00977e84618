// A relying party that nobody here wrote signs a user in at a user pool: npm `openid-client` or `oauth4webapi`, and what it gets is verified by
// `JwtVerifier` of npm `aws-jwt-verify`. All of them as they are, with what discovery tells them.
//
// Standard input, JSON: {"issuer", "clientId", "clientSecret", "redirectUri", "username", "password",
//   "machineId", "machineSecret", "machineScope"}
// The authority of the pool's certificate comes by NODE_EXTRA_CA_CERTS.
// Argument: `openid-client` or `oauth4webapi`.
// Standard output, one JSON line with what was seen.

import { readFileSync } from "node:fs";
import { JwtVerifier } from "aws-jwt-verify";
import * as oauth from "oauth4webapi";
import * as client from "openid-client";

const asked = JSON.parse(readFileSync(0, "utf8"));
const scope = "openid email profile offline_access";

// A browser without scripts, with cookies.
async function signIn(address) {
  const cookies = new Map();
  const request = async (url, options = {}) => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(url, { redirect: "manual", ...options, headers: { ...options.headers, cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]*)=([^;]*)/.exec(line);
      cookies.set(name, value);
    }
    return response;
  };
  const page = await request(address);
  const text = await page.text();
  const found = /name="request" value="([^"]*)"/.exec(text);
  if (!found) throw new Error(`no form: ${page.status} ${page.headers.get("location")} ${text.slice(0, 300)}`);
  const body = new URLSearchParams({ request: found[1], username: asked.username, password: asked.password });
  const back = await request(new URL("/sign-in", address), { method: "POST", body });
  if (back.status !== 303) throw new Error(`${back.status} ${(await back.text()).slice(0, 300)}`);
  return new URL(back.headers.get("location"), address);
}

async function refusal(promise) {
  try {
    await promise;
    return "none";
  } catch (error) {
    return error.error ?? error.message;
  }
}

// As its documentation says for issuers other than Cognito: no `audience`, since an access token may have none for us.
async function verified(idToken, accessToken) {
  const options = { issuer: asked.issuer, jwksUri: `${asked.issuer}/.well-known/jwks.json` };
  const ofId = JwtVerifier.create({
    ...options,
    audience: asked.clientId,
    customJwtCheck: ({ payload }) => {
      if (payload.token_use !== "id") throw new Error("not an ID token");
    },
  });
  const ofAccess = JwtVerifier.create({
    ...options,
    audience: null,
    scope: "openid",
    customJwtCheck: ({ header, payload }) => {
      if (header.alg !== "RS256") throw new Error(`signed with ${header.alg}`);
      if (payload.token_use !== "access" || payload.client_id !== asked.clientId) throw new Error("not an access token");
    },
  });
  const mixedUp = [await refusal(ofId.verify(accessToken)), await refusal(ofAccess.verify(idToken))];
  return { id: await ofId.verify(idToken), access: await ofAccess.verify(accessToken), mixedUp };
}

async function openidClient() {
  const config = await client.discovery(new URL(asked.issuer), asked.clientId, asked.clientSecret);
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const [expectedState, expectedNonce] = [client.randomState(), client.randomNonce()];
  const parameters = {
    redirect_uri: asked.redirectUri,
    scope,
    state: expectedState,
    nonce: expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: "S256",
  };
  const pushed = await client.buildAuthorizationUrlWithPAR(config, parameters);
  const back = await signIn(pushed);
  const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true };
  const tokens = await client.authorizationCodeGrant(config, back, checks);
  const userinfo = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
  const next = await client.refreshTokenGrant(config, tokens.refresh_token);
  const introspected = await client.tokenIntrospection(config, next.access_token);
  const checked = await verified(next.id_token, next.access_token);
  await client.tokenRevocation(config, next.refresh_token);
  const revoked = await client.tokenIntrospection(config, next.access_token);
  const machine = await client.discovery(new URL(asked.issuer), asked.machineId, asked.machineSecret);
  const own = await client.clientCredentialsGrant(machine, { scope: asked.machineScope });
  return {
    parameters: [...pushed.searchParams.keys()].sort(),
    claims: tokens.claims(),
    userinfo,
    introspected,
    verified: checked,
    afterRevocation: revoked,
    refused: await refusal(client.refreshTokenGrant(config, next.refresh_token)),
    usedTwice: await refusal(client.authorizationCodeGrant(config, back, checks)),
    machine: { scope: own.scope, expires_in: own.expires_in },
  };
}

async function oauth4webapi() {
  const issuer = new URL(asked.issuer);
  const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer));
  const rp = { client_id: asked.clientId };
  const secret = oauth.ClientSecretBasic(asked.clientSecret);
  const [verifier, state, nonce] = [oauth.generateRandomCodeVerifier(), oauth.generateRandomState(), oauth.generateRandomNonce()];
  const address = new URL(as.authorization_endpoint);
  const parameters = {
    client_id: asked.clientId,
    response_type: "code",
    redirect_uri: asked.redirectUri,
    scope,
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    claims: JSON.stringify({ userinfo: { groups: null } }),
  };
  for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
  const back = await signIn(address);
  const given = oauth.validateAuthResponse(as, rp, back, state);
  const redeem = () => oauth.authorizationCodeGrantRequest(as, rp, secret, given, asked.redirectUri, verifier);
  const tokens = await oauth.processAuthorizationCodeResponse(as, rp, await redeem(), {
    expectedNonce: nonce,
    requireIdToken: true,
  });
  const claims = oauth.getValidatedIdTokenClaims(tokens);
  const userinfo = await oauth.processUserInfoResponse(
    as, rp, claims.sub, await oauth.userInfoRequest(as, rp, tokens.access_token));
  const refresh = (token) => oauth.refreshTokenGrantRequest(as, rp, secret, token);
  const next = await oauth.processRefreshTokenResponse(as, rp, await refresh(tokens.refresh_token));
  const introspect = async () =>
    oauth.processIntrospectionResponse(as, rp, await oauth.introspectionRequest(as, rp, secret, next.access_token));
  const introspected = await introspect();
  const checked = await verified(next.id_token, next.access_token);
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, rp, secret, next.refresh_token));
  const machine = { client_id: asked.machineId };
  const own = await oauth.processClientCredentialsResponse(as, machine, await oauth.clientCredentialsGrantRequest(
    as, machine, oauth.ClientSecretPost(asked.machineSecret), new URLSearchParams({ scope: asked.machineScope })));
  return {
    parameters: [...address.searchParams.keys()],
    claims,
    userinfo,
    introspected,
    verified: checked,
    afterRevocation: await introspect(),
    refused: await refusal(refresh(next.refresh_token).then((response) => oauth.processRefreshTokenResponse(as, rp, response))),
    usedTwice: await refusal(redeem().then((response) => oauth.processAuthorizationCodeResponse(as, rp, response))),
    machine: { scope: own.scope, expires_in: own.expires_in },
  };
}

const run = { "openid-client": openidClient, oauth4webapi }[process.argv[2]];
console.log(JSON.stringify(await run()));
