// Second factors in Chromium: passkeys with its virtual authenticator, and one-time passwords computed here.

import { createHmac } from "node:crypto";

const PASSKEY_BUTTON = "#passkey button";
const HEADING = "h1";

/** `tools` are the functions of browser.mjs. */
export async function secondFactors(context, settings, tools) {
  const { signIn, clickThrough, expect, expectApplication, pictures } = tools;
  const page = await context.newPage();
  const device = await virtualAuthenticator(context, page);
  const heading = async (text) => {
    const shown = (await page.innerText(HEADING)).trim();
    expect(shown === text, `the page is “${shown}” instead of “${text}”`);
  };
  const again = async () => {
    await context.clearCookies();
    await page.goto(settings.url);
  };

  // Who must have a second factor chooses a passkey.
  await page.goto(settings.url);
  await page.locator(PASSKEY_BUTTON).waitFor({ state: "visible" });
  await pictures(page, "sign-in");
  await signIn(page);
  await heading("Set up a second step");
  await pictures(page, "choose");
  await clickThrough(page, page.locator("button[value=passkey]"));
  await heading("Add a passkey");
  await pictures(page, "add-passkey");
  await device.verifies(false);
  await page.locator(PASSKEY_BUTTON).click();
  await page.locator("#passkey-declined").waitFor({ state: "visible" });
  await device.verifies(true);
  await clickThrough(page, page.locator(PASSKEY_BUTTON));
  await heading("Write down your recovery codes");
  await pictures(page, "recovery-codes");
  const codes = (await page.locator(".codes").innerText()).trim().split(/\s+/);
  await clickThrough(page, page.locator("main button"));
  await expectApplication(page);

  // The passkey alone.
  await device.answers(false);
  await again();
  await page.locator(PASSKEY_BUTTON).waitFor({ state: "visible" });
  await device.answers(true);
  await clickThrough(page, page.locator(PASSKEY_BUTTON)).catch(() => {});
  await expectApplication(page);

  // The password, and the passkey as second factor.
  await device.answers(false);
  await again();
  await signIn(page);
  await heading("Confirm that it is you");
  await pictures(page, "passkey-challenge");
  await device.answers(true);
  await clickThrough(page, page.locator(PASSKEY_BUTTON));
  await expectApplication(page);

  // A recovery code instead.
  await device.answers(false);
  await again();
  await signIn(page);
  await clickThrough(page, page.locator("button[value=recovery_code]"));
  await pictures(page, "recovery-code");
  await page.fill("#code", codes[0]);
  await clickThrough(page, page.locator("main .button"));
  await expectApplication(page);

  // Another user chooses an app.
  await again();
  await signIn(page, { username: settings.other.username, password: settings.other.password });
  await clickThrough(page, page.locator("button[value=totp]"));
  await heading("Set up one-time passwords");
  await pictures(page, "set-up-totp");
  const secret = (await page.innerText(".secret")).replaceAll(" ", "");
  await page.fill("#code", totp(secret, settings.now));
  await clickThrough(page, page.locator("main .button"));
  await heading("Write down your recovery codes");
  const others = (await page.locator(".codes").innerText()).trim().split(/\s+/);
  await clickThrough(page, page.locator("main button"));
  await expectApplication(page);

  // A wrong code, then the next one, and the browser is trusted.
  await again();
  await signIn(page, { username: settings.other.username, password: settings.other.password });
  await heading("Confirm that it is you");
  await pictures(page, "totp-challenge");
  await page.fill("#code", totp(secret, settings.now));
  await clickThrough(page, page.locator("main .button"));
  const alert = await page.innerText("[role=alert]");
  await pictures(page, "totp-wrong");
  await page.fill("#code", totp(secret, settings.now + 30));
  await page.check("[name=trust]");
  await clickThrough(page, page.locator("main .button"));
  await expectApplication(page);
  const trusted = (await context.cookies()).filter(({ name }) => name.endsWith("-trusted"));
  await context.clearCookies();
  await context.addCookies(trusted);
  await page.goto(settings.url);
  await signIn(page, { username: settings.other.username, password: settings.other.password });
  await expectApplication(page);
  await device.answers(true);
  return { codes: codes.length, alert, said: await changeFactors(others[0]), credentials: await device.credentials() };

  // The page of the account: a passkey is added and named, and the app removed.
  async function changeFactors(code) {
    await context.clearCookies();
    await device.answers(false);
    await page.goto(settings.account);
    await signIn(page, { username: settings.other.username, password: settings.other.password });
    await clickThrough(page, page.locator("button[value=recovery_code]"));
    await page.fill("#code", code);
    await clickThrough(page, page.locator("main .button"));
    await heading("Second step and passkeys");
    await pictures(page, "account-factors");
    await clickThrough(page, page.locator("a[href='/account/app']"));
    await pictures(page, "account-app");
    await page.goto(settings.account);
    await clickThrough(page, page.locator("a[href='/account/passkey']"));
    await heading("Add a passkey");
    await pictures(page, "account-passkey");
    await device.answers(true);
    await clickThrough(page, page.locator(PASSKEY_BUTTON));
    await heading("Second step and passkeys");
    await page.fill("[name=name]", "Laptop of Bob");
    await clickThrough(page, page.locator("[name=name_passkey]"));
    await pictures(page, "account-factors-named");
    const names = await page.locator(".item").allInnerTexts();
    expect(names.includes("Laptop of Bob"), `the names are ${names}`);
    await clickThrough(page, page.locator("[name=remove_app]"));
    await pictures(page, "account-factors-removed");
    return (await page.innerText("[role=status]")).trim();
  }
}

export async function virtualAuthenticator(context, page) {
  const cdp = await context.newCDPSession(page);
  await cdp.send("WebAuthn.enable", { enableUI: false });
  const options = {
    protocol: "ctap2",
    transport: "internal",
    hasResidentKey: true,
    hasUserVerification: true,
    isUserVerified: true,
    automaticPresenceSimulation: true,
  };
  const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", { options });
  return {
    verifies: (isUserVerified) => cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified }),
    answers: (enabled) => cdp.send("WebAuthn.setAutomaticPresenceSimulation", { authenticatorId, enabled }),
    credentials: async () => (await cdp.send("WebAuthn.getCredentials", { authenticatorId })).credentials.length,
  };
}

/** RFC 6238, as an app computes it. */
export function totp(secret, seconds) {
  const bits = [...secret].map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(seconds / 30)));
  const hash = createHmac("sha1", key).update(step).digest();
  const number = hash.readUInt32BE(hash.at(-1) & 15) & 0x7fffffff;
  return String(number % 1000000).padStart(6, "0");
}
