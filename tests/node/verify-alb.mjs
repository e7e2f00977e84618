// Verifies `x-amzn-oidc-data` as applications behind an ALB do it: with npm `aws-jwt-verify`, which nobody here wrote.
//
// Standard input, JSON: {"token", "albArn", "issuer", "clientId", "keyBaseUrl", "caFile"}
//   keyBaseUrl  where `/<kid>` answers the PEM, e.g. https://localhost:8443/.well-known/vestibule/keys
//   caFile      PEM of the authority that signed that host's certificate; absent for plain HTTP
// Standard output, one JSON line: {"ok":true,"header":{…},"payload":{…}} with exit code 0, or
//   {"ok":false,"error":"AlbJwtInvalidSignerError","message":"…"} with exit code 1.
//
// The library takes an ARN only in the form arn:aws:elasticloadbalancing:REGION:…, so tests set `claims.signer` to one.

import { readFileSync } from "node:fs";
import { get as getPlain } from "node:http";
import { get as getSecure } from "node:https";
import { AlbJwtVerifier } from "aws-jwt-verify";
import { AlbJwksCache } from "aws-jwt-verify/alb-cache";
import { decomposeUnverifiedJwt } from "aws-jwt-verify/jwt";

const asked = JSON.parse(readFileSync(0, "utf8"));
const ca = asked.caFile && readFileSync(asked.caFile);

// The library's own fetcher cannot be given an authority, so the transport, and nothing else, is ours.
const fetcher = {
  fetch: (uri) =>
    new Promise((resolve, reject) => {
      const get = uri.startsWith("https:") ? getSecure : getPlain;
      const request = get(uri, { ca, timeout: 5000 }, (response) => {
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const body = Buffer.concat(chunks);
          if (response.statusCode !== 200) reject(new Error(`${uri} answered ${response.statusCode}: ${body}`));
          else resolve(body.buffer.slice(body.byteOffset, body.byteOffset + body.byteLength));
        });
      });
      request.on("timeout", () => request.destroy(new Error(`${uri} did not answer in 5 s`)));
      request.on("error", reject);
    }),
};

const verifier = AlbJwtVerifier.create(
  { albArn: asked.albArn, issuer: asked.issuer, clientId: asked.clientId, jwksUri: asked.keyBaseUrl },
  { jwksCache: new AlbJwksCache({ fetcher }) },
);
try {
  const payload = await verifier.verify(asked.token);
  console.log(JSON.stringify({ ok: true, header: decomposeUnverifiedJwt(asked.token).header, payload }));
} catch (error) {
  console.log(JSON.stringify({ ok: false, error: error.constructor.name, message: error.message, cause: error.cause?.message }));
  process.exitCode = 1;
}
