// A WebSocket over HTTP/2 (RFC 8441), by Node's own HTTP/2 client. The frames (RFC 6455 §5) are written here: Node has no client for them.
//
//   node websocket.mjs '{"address": "127.0.0.1:8443", "host": "app.test", "messages": 2000}'
//
// Sends so many small messages at once, waits until as many have come back, closes with 1000, and waits for the end of the stream.
// Standard output is one line of JSON: whether the server announced extended CONNECT, its status, how many messages came back, and
// the code of its closing frame.

import http2 from "node:http2";

const settings = JSON.parse(process.argv[2]);
const session = http2.connect(`https://${settings.address}`, { servername: settings.host, rejectUnauthorized: false });
session.on("error", fail);
const timer = setTimeout(() => fail("timed out"), 30000);

function fail(error) {
  console.error(error);
  process.exit(1);
}

const MASK = Buffer.from([1, 2, 3, 4]);

function frame(opcode, payload) {
  const masked = Buffer.from(payload.map((byte, index) => byte ^ MASK[index % 4]));
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length]), MASK, masked]);
}

const remote = await new Promise((resolve) => session.once("remoteSettings", resolve));
const stream = session.request({
  ":method": "CONNECT",
  ":protocol": "websocket",
  ":scheme": "https",
  ":authority": settings.host,
  ":path": "/socket",
  "sec-websocket-version": "13",
  origin: `https://${settings.host}`,
});
stream.on("error", fail);
const headers = await new Promise((resolve) => stream.once("response", resolve));

for (let number = 0; number < settings.messages; number += 1) {
  stream.write(frame(1, Buffer.from(`message ${number}`)));
}

let unread = Buffer.alloc(0);
let echoed = 0;
let closed = null;
stream.on("data", (data) => {
  unread = Buffer.concat([unread, data]);
  // The messages are short, and those of a server have no mask.
  while (unread.length >= 2 && unread.length >= 2 + unread[1]) {
    const [opcode, payload] = [unread[0] & 0xf, unread.subarray(2, 2 + unread[1])];
    unread = unread.subarray(2 + unread[1]);
    if (opcode === 8) closed = payload.readUInt16BE(0);
    if (opcode === 1 && payload.toString() === `message ${echoed}`) echoed += 1;
    if (opcode === 1 && echoed === settings.messages) stream.end(frame(8, Buffer.from([0x03, 0xe8])));
  }
});
await new Promise((resolve) => stream.once("end", resolve));
clearTimeout(timer);
session.close();
console.log(JSON.stringify({ announced: remote.enableConnectProtocol, status: headers[":status"], echoed, closed }));
