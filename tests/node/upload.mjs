// Uploads that are answered before they have been read, by Node's own client, which reads while it sends.
//
//   node upload.mjs '{"address": "127.0.0.1:8443", "host": "app.test", "uploads": [["/api/x", 65536], ["/", -65536]]}'
//
// Each upload is a POST on a connection of its own with a body of that many bytes; below zero: in chunks. Standard output has one
// JSON array for each upload: client, path, size, and the status or the error.

import https from "node:https";

const settings = JSON.parse(process.argv[2]);
const [hostname, port] = settings.address.split(":");

function upload(path, size) {
  return new Promise((resolve) => {
    const headers = { host: settings.host, "content-type": "application/octet-stream" };
    if (size >= 0) headers["content-length"] = size;
    const options = { hostname, port, path, method: "POST", headers, agent: false, rejectUnauthorized: false, timeout: 30000 };
    const request = https.request({ ...options, servername: settings.host }, (answer) => {
      answer.on("error", (error) => resolve(`while reading: ${error.code ?? error}`));
      answer.on("end", () => resolve(answer.statusCode));
      answer.resume();
    });
    request.on("error", (error) => resolve(error.code ?? String(error)));
    request.on("timeout", () => resolve("timed out"));
    let left = Math.abs(size);
    const send = () => {
      while (left > 0) {
        const length = Math.min(65536, left);
        left -= length;
        if (!request.write(Buffer.alloc(length, "x"))) return request.once("drain", send);
      }
      request.end();
    };
    send();
  });
}

for (const [path, size] of settings.uploads) {
  console.log(JSON.stringify(["node", path, size, await upload(path, size)]));
}
