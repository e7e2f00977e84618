// The Model Context Protocol (npm `@modelcontextprotocol/sdk`), which nobody here wrote.
//
//   node mcp.mjs server        prints {"port": …}. Streamable HTTP at /mcp, with two tools: `whoami` says whom the proxy has told of,
//                              `count` reports progress as it goes, and each report waits until the client asks for it: GET /next
//   node mcp.mjs client URL    connects to URL with the OAuth client of the SDK. Prints {"authorize": …} and reads the address that the browser came
//                              back to, from one line of standard input. Then calls both tools and prints {"identity", "progress", "result"}
//
// Both end when standard input closes.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";

import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";

// The address to come back to. Nobody listens there: the test is the browser.
const REDIRECT = "http://127.0.0.1:1/callback";
const [, , command, argument] = process.argv;
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (value) => console.log(JSON.stringify(value));

if (command === "server") serve();
else if (command === "client") await connect(new URL(argument));
else throw new Error(`no such command: ${command}`);

function serve() {
  const transports = new Map();
  const waiting = [];
  const server = createServer(async (request, response) => {
    try {
      if (request.url === "/next") {
        waiting.shift()?.();
        return response.end();
      }
      const known = transports.get(request.headers["mcp-session-id"]);
      if (known) return await known.handleRequest(request, response);
      const transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        onsessioninitialized: (id) => transports.set(id, transport),
      });
      await tools(() => new Promise((resolve) => waiting.push(resolve))).connect(transport);
      await transport.handleRequest(request, response);
    } catch (error) {
      console.error(error);
      response.destroy();
    }
  });
  server.listen(0, "127.0.0.1", () => say({ port: server.address().port }));
  process.stdin.on("end", () => process.exit(0));
  process.stdin.resume();
}

function tools(wait) {
  const server = new McpServer({ name: "tests", version: "1.0.0" });
  const text = (text) => ({ content: [{ type: "text", text }] });
  server.registerTool("whoami", {}, ({ requestInfo }) => text(requestInfo.headers["x-amzn-oidc-identity"] ?? "nobody"));
  server.registerTool("count", {}, async ({ _meta, sendNotification }) => {
    for (const progress of [1, 2, 3]) {
      await sendNotification({ method: "notifications/progress", params: { progressToken: _meta.progressToken, progress, total: 3 } });
      // If something on the way kept the report, nobody would ask for the next one.
      await wait();
    }
    return text("counted");
  });
  return server;
}

async function connect(url) {
  const kept = {};
  const provider = {
    redirectUrl: REDIRECT,
    clientMetadata: { client_name: "tests", redirect_uris: [REDIRECT], token_endpoint_auth_method: "none", application_type: "native", grant_types: ["authorization_code", "refresh_token"] },
    clientInformation: () => kept.client,
    saveClientInformation: (client) => (kept.client = client),
    tokens: () => kept.tokens,
    saveTokens: (tokens) => (kept.tokens = tokens),
    saveCodeVerifier: (verifier) => (kept.verifier = verifier),
    codeVerifier: () => kept.verifier,
    redirectToAuthorization: (address) => say({ authorize: address.href }),
  };
  const open = async () => {
    const client = new Client({ name: "tests", version: "1.0.0" });
    const transport = new StreamableHTTPClientTransport(url, { authProvider: provider });
    try {
      await client.connect(transport);
      return client;
    } catch (error) {
      if (!(error instanceof UnauthorizedError)) throw error;
      const { value } = await lines.next();
      await transport.finishAuth(new URL(value).searchParams.get("code"));
      return undefined;
    }
  };
  const client = (await open()) ?? (await open());
  const identity = (await client.callTool({ name: "whoami" })).content[0].text;
  const progress = [];
  const next = async (report) => {
    progress.push(report.progress);
    await fetch(new URL("/next", url), { headers: { authorization: `Bearer ${kept.tokens.access_token}` } });
  };
  const counted = await client.callTool({ name: "count" }, undefined, { onprogress: next });
  say({ identity, progress, result: counted.content[0].text, scope: kept.tokens.scope });
  await client.close();
  process.exit(0);
}
