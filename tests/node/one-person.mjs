// One person and all that the pages of a user pool do, from the sign-up to the end of the account: a scenario of `browser.mjs`.
//
// The codes come from a mail server: for each, the scenario prints {"waiting": ADDRESS} and goes on when the code comes in on standard input.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { totp, virtualAuthenticator } from "./second-factors.mjs";

const HEADING = "h1";
const MAIN_BUTTON = "main .button";
const PASSKEY_BUTTON = "#passkey button";
const USERNAME = "input[name=username]";
const PASSWORD = "input[name=password]";
const CODE = "input[name=code]";

/** `tools` are the functions of browser.mjs. */
export async function onePerson(context, settings, tools) {
  const { signIn, clickThrough, expect, expectApplication, look, newContext } = tools;
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const page = await context.newPage();
  const device = await virtualAuthenticator(context, page);
  const { email, password } = settings;
  const [newEmail, newPassword] = [settings.new_email, `${password} again`];

  const heading = async (text, on = page) => {
    const shown = (await on.innerText(HEADING)).trim();
    expect(shown === text, `the page is “${shown}” instead of “${text}”`);
  };
  const open = (path) => page.goto(new URL(path, settings.pool).href);
  const press = (selector) => clickThrough(page, page.locator(selector));
  const follow = (name) => clickThrough(page, page.getByRole("link", { name, exact: true }));
  const said = () => page.innerText("[role=status]");
  const mailedCode = async (address) => {
    console.log(JSON.stringify({ waiting: address }));
    return (await lines.next()).value;
  };
  /** A browser that nobody has used, at the application. */
  const again = async () => {
    await device.answers(false);
    await context.clearCookies();
    await page.goto(settings.url);
  };

  await signUp();
  const codes = await setUpSecondFactors();
  await signOut();
  const keys = await signInWithPasswordAndApp();
  await signInWithPasskey();
  const other = await signInAtAnotherProvider();
  await resetPassword();
  await changeAccount();
  await endAnotherBrowser();
  const data = await download();
  await deleteAccount();
  return { codes, keys, other, data, credentials: await device.credentials() };

  async function signUp() {
    await page.goto(settings.url);
    await page.locator(PASSKEY_BUTTON).waitFor({ state: "visible" });
    await look(page, "sign-in");
    await follow("Create an account");
    await look(page, "sign-up");
    await page.fill("input[name=email]", email);
    await page.fill("input[name=given_name]", "Ada");
    await page.fill(PASSWORD, "short");
    await press(MAIN_BUTTON);
    await look(page, "sign-up-refused");
    await page.fill(PASSWORD, password);
    await press(MAIN_BUTTON);
    await heading("Confirm your account");
    await look(page, "verify");
    await page.fill(CODE, "000000");
    await press(MAIN_BUTTON);
    await look(page, "verify-wrong");
    await page.fill(CODE, await mailedCode(email));
    await press(MAIN_BUTTON);
    await expectApplication(page);
  }

  /** An app, recovery codes and a passkey. Returns how many codes there are. */
  async function setUpSecondFactors() {
    await open("/account");
    await heading("Your account");
    await look(page, "account-before");
    await follow("Second step, passkeys and trusted browsers");
    await look(page, "factors-none");
    await follow("Set up an app");
    await heading("Set up one-time passwords");
    await look(page, "set-up-app");
    settings.secret = (await page.innerText(".secret")).replaceAll(" ", "");
    await page.fill(CODE, "000000");
    await press(MAIN_BUTTON);
    await look(page, "set-up-app-wrong");
    await page.fill(CODE, totp(settings.secret, settings.now));
    await press(MAIN_BUTTON);
    await heading("Write down your recovery codes");
    await look(page, "recovery-codes");
    settings.codes = (await page.locator(".codes").innerText()).trim().split(/\s+/);
    await press(MAIN_BUTTON);
    await page.getByText("Authenticator app").waitFor();
    await clickThrough(page, page.locator("a[href='/account/passkey']"));
    await heading("Add a passkey");
    await look(page, "add-passkey");
    await press(PASSKEY_BUTTON);
    await page.fill("[name=name]", "My laptop");
    await press("[name=name_passkey]");
    await look(page, "factors");
    return settings.codes.length;
  }

  async function signOut() {
    await open("/oauth2/logout");
    await heading("Sign out?");
    await look(page, "sign-out");
    await press(MAIN_BUTTON);
    await heading("You are signed out");
    await look(page, "signed-out");
    await device.answers(false);
    await refusedSoon(page);
  }

  /** The session of the application ends within a second. */
  async function refusedSoon(on) {
    for (let tries = 0; ; tries += 1) {
      await on.goto(settings.url);
      if ((await on.locator(USERNAME).count()) > 0) return;
      expect(tries < 40, "the application still takes the session");
      await on.waitForTimeout(50);
    }
  }

  /** By the keyboard alone, on a desktop. Returns how often Tab was pressed. */
  async function signInWithPasswordAndApp() {
    if (settings.is_phone) {
      await signIn(page, { username: email, password });
      await press("button[value=totp]");
      await page.fill(CODE, totp(settings.secret, settings.now + 30));
      await press(MAIN_BUTTON);
      await expectApplication(page);
      return null;
    }
    let keys = 0;
    /** Tab, until the focus is there. */
    const tabTo = async (selector) => {
      for (let tries = 0; !(await page.locator(`${selector}:focus`).count()); tries += 1) {
        expect(tries < 20, `Tab does not lead to ${selector}`);
        await page.keyboard.press("Tab");
        keys += 1;
      }
    };
    const enter = async () => {
      await Promise.all([page.waitForEvent("framenavigated"), page.keyboard.press("Enter")]);
      await page.waitForLoadState("load");
    };
    await tabTo(USERNAME);
    await page.keyboard.type(email);
    await tabTo(PASSWORD);
    await page.keyboard.type(password);
    await enter();
    await heading("Confirm that it is you");
    await look(page, "passkey-challenge");
    await tabTo("button[value=totp]");
    await enter();
    await look(page, "app-challenge");
    await tabTo(CODE);
    await page.keyboard.type(totp(settings.secret, settings.now + 30));
    await enter();
    await expectApplication(page);
    return keys;
  }

  async function signInWithPasskey() {
    await again();
    await page.locator(PASSKEY_BUTTON).waitFor({ state: "visible" });
    // It answers what begins from now on.
    await device.answers(true);
    await page.locator(PASSKEY_BUTTON).click();
    await expectApplication(page);
  }

  /** Returns what the application is told of the user. */
  async function signInAtAnotherProvider() {
    await again();
    await clickThrough(page, page.getByRole("button", { name: settings.company.button }));
    await page.locator(PASSWORD).waitFor();
    await look(page, "company");
    await signIn(page, settings.company);
    await expectApplication(page);
    return (await page.innerText("body")).trim();
  }

  async function resetPassword() {
    await again();
    await signIn(page, { username: email, password: newPassword });
    await look(page, "sign-in-refused");
    await follow("I forgot my password");
    await look(page, "forgot-password");
    await page.fill(USERNAME, email);
    await press(MAIN_BUTTON);
    await look(page, "reset-password");
    await page.fill(CODE, await mailedCode(email));
    await page.fill(PASSWORD, newPassword);
    await press(MAIN_BUTTON);
    await heading("Your password has changed");
    await look(page, "password-changed");
    await follow("Go to the sign-in page");
    await signInWithCode(page, email);
    await expectApplication(page);
  }

  /** With the new password and the next recovery code. */
  async function signInWithCode(on, username) {
    await signIn(on, { username, password: newPassword });
    await clickThrough(on, on.locator("button[value=recovery_code]"));
    if (on === page) await look(page, "recovery-code");
    await on.fill(CODE, settings.codes.pop());
    await clickThrough(on, on.locator(MAIN_BUTTON));
  }

  async function changeAccount() {
    await open("/account");
    await press("a[href='/account/email']");
    await look(page, "account-email");
    await page.fill("input[name=email]", newEmail);
    await press(MAIN_BUTTON);
    await look(page, "account-email-code");
    await page.fill(CODE, await mailedCode(newEmail));
    await press(MAIN_BUTTON);
    expect((await said()) === "Your new address is confirmed.", `the page says “${await said()}”`);
    await look(page, "account");
    await follow("Change your profile");
    await page.fill("input[name=given_name]", "Ada L.");
    await look(page, "account-profile");
    await press(MAIN_BUTTON);
    expect((await said()) === "Your profile is saved.", `the page says “${await said()}”`);
    await follow("Change your password");
    await look(page, "account-password");
    await open("/account/history");
    await look(page, "account-history");
  }

  async function endAnotherBrowser() {
    const another = await newContext();
    const there = await another.newPage();
    await there.goto(settings.url);
    await signInWithCode(there, newEmail);
    await expectApplication(there);
    await open("/account/sessions");
    await look(page, "account-sessions");
    await clickThrough(page, page.getByRole("button", { name: /^End this session/ }));
    expect((await said()) === "The session has ended.", `the page says “${await said()}”`);
    await refusedSoon(there);
    await another.close();
    await page.goto(settings.url);
    await expectApplication(page);
  }

  /** The address and the name in the file. */
  async function download() {
    await open("/account/export");
    await heading("Download your data");
    await look(page, "account-export");
    const [file] = await Promise.all([page.waitForEvent("download"), page.locator(MAIN_BUTTON).click()]);
    const { attributes } = JSON.parse(readFileSync(await file.path(), "utf8")).user;
    return { name: file.suggestedFilename(), email: attributes.email, given_name: attributes.given_name };
  }

  async function deleteAccount() {
    await open("/account/delete");
    await page.fill("input[name=name]", "somebody else");
    await press(MAIN_BUTTON);
    await look(page, "account-delete");
    await page.fill("input[name=name]", newEmail);
    await press(MAIN_BUTTON);
    await heading("Your account is deleted");
    await look(page, "account-deleted");
    await refusedSoon(page);
    await signIn(page, { username: newEmail, password: newPassword });
    const alert = await page.innerText("[role=alert]");
    expect(alert === "Incorrect user name or password.", `the page says “${alert}”`);
  }
}
