// Lets a form ask a key: gets the options, asks the browser, sends what it answers.
"use strict";

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

// decode turns the binary values of the options into what browsers want.
function decode(options) {
  const key = options.publicKey;
  key.challenge = bytes(key.challenge);
  if (key.user) key.user.id = bytes(key.user.id);
  for (const list of [key.allowCredentials, key.excludeCredentials]) {
    for (const credential of list ?? []) credential.id = bytes(credential.id);
  }
  return options;
}

// encode is the way back.
function encode(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = text(credential.response[name]);
  }
  if (credential.response.getTransports) response.transports = credential.response.getTransports();
  return JSON.stringify({
    id: credential.id, rawId: text(credential.rawId), type: credential.type, response,
    authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
    clientExtensionResults: credential.getClientExtensionResults(),
  });
}

// Who lets the browser ask again needs no other options: some are given once.
const given = new Map();

async function optionsOf(form) {
  if (form.dataset.given) return decode(JSON.parse(form.dataset.given));
  const answer = await fetch(form.dataset.options, { method: "POST", body: new URLSearchParams(new FormData(form)) });
  if (!answer.ok) throw new Error(String(answer.status));
  const options = await answer.json();
  if (options.kept) form.elements.kept.value = options.kept;
  delete options.kept;
  return decode(options);
}

// What is offered by the way ends before something is asked for: browsers do one at a time.
let offered = new AbortController();

// ask asks a key and sends the form with what it answers.
async function ask(form, more) {
  offered.abort();
  offered = new AbortController();
  if (!given.has(form)) given.set(form, await optionsOf(form));
  const options = { ...given.get(form), ...more, signal: offered.signal };
  form.elements.credential.value = encode(await navigator.credentials[form.dataset.key](options));
  form.submit();
}

// autofill lets the browser offer passkeys in the field of the login name, until somebody
// presses the button instead (WebAuthn, section 5.1.4). Hosts that keys cannot be for have none.
async function autofill(form) {
  given.set(form, await optionsOf(form));
  form.classList.remove("veiled"); // Its place was kept: nothing moves.
  if (await PublicKeyCredential.isConditionalMediationAvailable?.()) await ask(form, { mediation: "conditional" });
}

for (const form of document.querySelectorAll("form[data-key]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const problem = form.querySelector(".problem");
    problem.hidden = true;
    ask(form).catch(() => { problem.hidden = false; });
  });
  if ("autofill" in form.dataset && window.PublicKeyCredential) autofill(form).catch(() => {});
}
