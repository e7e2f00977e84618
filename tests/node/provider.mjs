// An OpenID provider that nobody here wrote (npm `oidc-provider`), on a free loopback port.
//
//   node provider.mjs '{"client_id":"…","client_secret":"…","redirect_uris":["https://…/oauth2/idpresponse"]}'
//
// Prints one JSON line when it is ready, {"issuer":"http://127.0.0.1:PORT", …}, and ends when its standard input closes,
// so a test that dies cannot leave it behind. Settings, all optional but the redirect URIs:
//
//   client_id, client_secret, redirect_uris, post_logout_redirect_uris
//   token_endpoint_auth_method   client_secret_basic (default), client_secret_post, none
//   access_token_ttl, id_token_ttl, refresh_token_ttl   seconds; 60, 3600, 86400
//   refresh_tokens               always (default): one with every code; offline_access: only when that scope is granted
//   id_token_signed_response_alg RS256 (default), ES256, PS256, EdDSA
//   userinfo_signed_response_alg absent (default): JSON; an algorithm: a JWT
//   device_flow, registration    false (default): RFC 8628 and RFC 7591, for programs
//   resources                    false (default): access tokens are JWTs for the `resource` that is asked for (RFC 8707), with the scope `mcp`
//   account                      {"sub","password", …claims}; default below
//   port                         0 (default): the kernel's choice
//
// Signing in as a client without JavaScript, keeping cookies and following redirects by hand:
//
//   1. GET the authorization URL                → 303 to /interaction/UID
//   2. GET /interaction/UID                      → a form with `username` and `password`, posting to /interaction/UID/login
//   3. POST it                                   → 303 to /auth/UID → 303 to /interaction/UID2, or 401 with the form again
//   4. GET /interaction/UID2                     → a form with no field, posting to /interaction/UID2/confirm
//   5. POST it                                   → 303 to /auth/UID2 → 303 to the redirect URI with code, state and iss
//
// POST /interaction/UID/abort instead of 3 or 5 ends in error=access_denied. Signing out: GET the end_session_endpoint
// answers a form; POST its hidden `xsrf` with logout=yes to its action → 303 to post_logout_redirect_uri.

import { createServer } from "node:http";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import Provider from "oidc-provider";

const settings = {
  client_id: "vestibule",
  client_secret: "a-secret-that-only-the-tests-know",
  redirect_uris: [],
  post_logout_redirect_uris: [],
  token_endpoint_auth_method: "client_secret_basic",
  access_token_ttl: 60,
  id_token_ttl: 3600,
  refresh_token_ttl: 86400,
  refresh_tokens: "always",
  device_flow: false,
  registration: false,
  resources: false,
  id_token_signed_response_alg: "RS256",
  port: 0,
  ...JSON.parse(process.argv[2] ?? process.env.VESTIBULE_TEST_PROVIDER ?? "{}"),
};
const account = {
  sub: "alice",
  password: "correct horse battery staple",
  email: "alice@example.com",
  email_verified: true,
  name: "Alice Lidell",
  groups: ["staff", "admins"],
  ...settings.account,
};

// The issuer's URL contains the port, so the port comes first.
let answer;
const server = createServer((request, response) => answer(request, response));
server.listen(settings.port, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  answer = listener(issuer);
  console.log(JSON.stringify({ issuer, client_id: settings.client_id, client_secret: settings.client_secret, username: account.sub, password: account.password }));
});
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
process.stdin.on("error", () => process.exit(0));

function listener(issuer) {
  const provider = new Provider(issuer, configuration());
  const fallback = provider.callback();
  return (request, response) => {
    const [, uid, step = ""] = /^\/interaction\/([\w-]+)(?:\/(login|confirm|abort))?$/.exec(request.url) ?? [];
    if (!uid) return fallback(request, response);
    interaction(provider, request, response, step).catch((error) => {
      console.error(error);
      if (!response.headersSent) response.writeHead(500, { "content-type": "text/plain" });
      response.end(`${error.name}: ${error.message}`);
    });
  };
}

function configuration() {
  const isPublic = settings.token_endpoint_auth_method === "none";
  return {
    clients: [
      {
        client_id: settings.client_id,
        ...(isPublic ? {} : { client_secret: settings.client_secret }),
        redirect_uris: settings.redirect_uris,
        post_logout_redirect_uris: settings.post_logout_redirect_uris,
        token_endpoint_auth_method: settings.token_endpoint_auth_method,
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        id_token_signed_response_alg: settings.id_token_signed_response_alg,
        ...(settings.userinfo_signed_response_alg && { userinfo_signed_response_alg: settings.userinfo_signed_response_alg }),
      },
    ],
    async findAccount(_context, id) {
      if (id !== account.sub) return undefined;
      const { password, ...claims } = account;
      return { accountId: id, claims: async () => claims };
    },
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "groups"] },
    // A client that registers itself names the scope of the resource, too.
    scopes: ["openid", "offline_access", "email", "profile", ...(settings.resources ? ["mcp"] : [])],
    // As the specification has it, claims of a scope come from userinfo when there is an access token.
    conformIdTokenClaims: true,
    pkce: { required: () => true },
    issueRefreshToken: async (_context, client, code) =>
      client.grantTypeAllowed("refresh_token") && (settings.refresh_tokens === "always" || code.scopes.has("offline_access")),
    // A used refresh token comes back: the grant is revoked. A relying party that refreshes twice at once shows here.
    rotateRefreshToken: true,
    ttl: {
      AccessToken: settings.access_token_ttl,
      AuthorizationCode: 60,
      Grant: 86400,
      IdToken: settings.id_token_ttl,
      Interaction: 3600,
      RefreshToken: settings.refresh_token_ttl,
      Session: 86400,
    },
    enabledJWA: { idTokenSigningAlgValues: ["RS256", "PS256", "ES256", "Ed25519", "EdDSA"], userinfoSigningAlgValues: ["RS256", "ES256"] },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: { enabled: true },
      revocation: { enabled: true },
      introspection: { enabled: true },
      userinfo: { enabled: true },
      jwtUserinfo: { enabled: true },
      deviceFlow: { enabled: settings.device_flow },
      registration: { enabled: settings.registration },
      resourceIndicators: {
        enabled: settings.resources,
        getResourceServerInfo: (_context, resource) => ({
          audience: resource,
          scope: "mcp",
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: "ES256" } },
        }),
        useGrantedResource: () => true,
      },
    },
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    cookies: { keys: ["only the tests read these cookies"] },
    jwks: { keys: signingKeys() },
  };
}

// By way of PEM: node 20 exports a key that it has just made while holding a lock that the collection of the finished
// generator takes too, and stands still if it comes at that moment.
function signingKeys() {
  const encodings = { publicKeyEncoding: { type: "spki", format: "pem" }, privateKeyEncoding: { type: "pkcs8", format: "pem" } };
  const kinds = [["rsa", { modulusLength: 2048 }], ["ec", { namedCurve: "P-256" }], ["ed25519", {}]];
  return kinds.map(([kind, options]) => createPrivateKey(generateKeyPairSync(kind, { ...options, ...encodings }).privateKey).export({ format: "jwk" }));
}

async function interaction(provider, request, response, step) {
  const details = await provider.interactionDetails(request, response);
  if (request.method === "GET" && step === "") return page(response, 200, details);
  if (request.method !== "POST") return page(response, 405, details, "Post the form.");
  const form = await formOf(request);
  const finish = (result) => provider.interactionFinished(request, response, result, { mergeWithLastSubmission: step === "confirm" });
  switch (step) {
    case "login":
      if (form.get("username") !== account.sub || form.get("password") !== account.password) {
        return page(response, 401, details, "Wrong user name or password.");
      }
      return finish({ login: { accountId: account.sub } });
    case "confirm":
      return finish({ consent: { grantId: await grant(provider, details) } });
    case "abort":
      return finish({ error: "access_denied", error_description: "the user said no" });
    default:
      return page(response, 404, details, "No such step.");
  }
}

async function grant(provider, { grantId, params, session, prompt }) {
  const found = grantId && (await provider.Grant.find(grantId));
  const granted = found || new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  if (prompt.details.missingOIDCScope) granted.addOIDCScope(prompt.details.missingOIDCScope.join(" "));
  for (const [resource, scopes] of Object.entries(prompt.details.missingResourceScopes ?? {})) granted.addResourceScope(resource, scopes.join(" "));
  if (prompt.details.missingOIDCClaims) granted.addOIDCClaims(prompt.details.missingOIDCClaims);
  return granted.save();
}

async function formOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return new URLSearchParams(Buffer.concat(chunks).toString("utf8"));
}

function page(response, status, { uid, prompt }, problem = "") {
  const isLogin = prompt.name === "login";
  const fields = isLogin
    ? `<label>User name <input name="username" autocomplete="username"></label>
       <label>Password <input name="password" type="password" autocomplete="current-password"></label>`
    : "";
  response.writeHead(status, { "content-type": "text/html; charset=utf-8", "cache-control": "no-store" });
  response.end(`<!doctype html><html lang="en"><title>${prompt.name}</title><h1>${isLogin ? "Sign in" : "Allow access?"}</h1>
    <p role="alert">${problem}</p>
    <form method="post" action="/interaction/${uid}/${isLogin ? "login" : "confirm"}">${fields}<button type="submit">Continue</button></form>
    <form method="post" action="/interaction/${uid}/abort"><button type="submit">Cancel</button></form></html>`);
}
