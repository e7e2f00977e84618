// The only script of the pages. It asks the browser for a passkey, and sends the answer with the form.
"use strict";
(() => {
  const form = document.getElementById("passkey");
  const button = form && form.querySelector("button");
  if (!form || !button) return;
  if (!window.PublicKeyCredential) {
    document.getElementById("passkey-unsupported").hidden = false;
    return;
  }
  const options = JSON.parse(form.dataset.options);
  const isNew = form.dataset.what === "create";
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    buffer && btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const listed = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));
  const publicKey = { ...options, challenge: bytes(options.challenge) };
  if (isNew) {
    publicKey.user = { ...options.user, id: bytes(options.user.id) };
    publicKey.excludeCredentials = listed(options.excludeCredentials);
  } else {
    publicKey.allowCredentials = listed(options.allowCredentials);
  }
  const send = (credential) => {
    const from = credential.response;
    const response = isNew
      ? { attestationObject: text(from.attestationObject), transports: from.getTransports ? from.getTransports() : [] }
      : { authenticatorData: text(from.authenticatorData), signature: text(from.signature), userHandle: text(from.userHandle) };
    response.clientDataJSON = text(from.clientDataJSON);
    const id = text(credential.rawId);
    const answer = { id, rawId: id, type: credential.type, response, clientExtensionResults: {} };
    form.querySelector("[name=credential]").value = JSON.stringify(answer);
    HTMLFormElement.prototype.submit.call(form);
  };
  let waiting = null;
  const ask = async (more) => {
    if (waiting) waiting.abort();
    waiting = new AbortController();
    const request = { publicKey, signal: waiting.signal, ...more };
    send(await (isNew ? navigator.credentials.create(request) : navigator.credentials.get(request)));
  };
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    // The user has declined, or there is no passkey: the page stays as it is.
    ask({}).catch(() => { document.getElementById("passkey-declined").hidden = false; });
  });
  // Offers passkeys in the field for the user name, where there is one.
  const field = document.querySelector("input[autocomplete~=webauthn]");
  if (field && PublicKeyCredential.isConditionalMediationAvailable) {
    PublicKeyCredential.isConditionalMediationAvailable()
      .then((can) => can && ask({ mediation: "conditional" }))
      .catch(() => {});
  }
})();
