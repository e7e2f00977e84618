// Drives Debian's Chromium through one scenario, as a person would, and says whether it went as it should.
//
//   node browser.mjs login '{"url":"https://localhost:8443/","username":"demo","password":"…"}'
//
// Scenarios: login, login-without-javascript, wrong-password, expired-session, second-tab, sign-out, service-worker,
// back-after-sign-out, back-after-wrong-password, second-factors, sign-up, two-pools, frame-and-form, websocket, choose, branding, own-login-page, federated,
// one-person; picture, which only opens `url` and takes its picture; and uploads, which sends `uploads` from a script of the page at `url`. Standard output ends with one JSON line: {"ok":true, …what was seen…} with exit code 0, or
// {"ok":false,"error":"…","at":"URL","text":"the page's text"} with exit code 1.
//
// Settings in the JSON:
//   url                 the application's address, behind the proxy
//   username, password  a user of the provider
//   other               for `two-pools`: url, username and password of the other
//   email, choice       for `choose`: an address whose domain chooses a provider, and the title of the other, which has the user; for
//                       `federated`: the same, and the button of the provider
//   email               for `sign-up`: the address that signs up; the codes that it gets come in on standard input
//   now                 for `second-factors`: the time of the proxy, in seconds; `other` is a second user
//   is_phone            for `one-person`: a phone instead of a desktop. It also has pool, new_email, company and now; see one-person.mjs
//   signed_in           text that the application shows to a signed-in user; "Signed in as"
//   session_cookie      base name of the proxy's session cookie; "__Host-vestibule"
//   sign_out_path       "/oauth2/sign_out"
//   trust               PEM files of the server's certificates, leaf or sent chain: these and no others are accepted.
//                       Absent: certificate errors are ignored
//   expire              how `expired-session` ends the session: "ask" (default) prints {"waiting":"expire"} and goes on when a
//                       line comes in on standard input, so that the test can move its clock; "clear" deletes the cookies
//   resolve             Chromium's --host-resolver-rules, for names that are in no DNS
//   screenshots         a directory: pictures of the sign-in page (desktop, phone) and of the application are put there
//   uploads             [path, size] of each POST that the scenario of that name sends
//   protocol            "http/1.1": HTTP/2 is not offered
//   width, height       of the window; 1280, 800
//   timeout_ms          for each step; 15000
//
// VESTIBULE_TEST_CHROMIUM says where Chromium is; /usr/bin/chromium when absent.

import { createHash, X509Certificate } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";
import { dev } from "./dev.mjs";
import { onePerson } from "./one-person.mjs";
import { secondFactors } from "./second-factors.mjs";
import { ownPages } from "./own-pages.mjs";

const [, , scenario, settingsText] = process.argv;
const settings = {
  signed_in: "Signed in as",
  session_cookie: "__Host-vestibule",
  sign_out_path: "/oauth2/sign_out",
  expire: "ask",
  width: 1280,
  height: 800,
  timeout_ms: 15000,
  ...JSON.parse(settingsText ?? "{}"),
};
const USERNAME = "input[name=username]";
const PASSWORD = "input[name=password]";
const SUBMIT = "button[type=submit], input[type=submit], button:not([type])";

const scenarios = {
  async uploads(context) {
    const page = await context.newPage();
    await page.goto(settings.url);
    const answers = [];
    for (const [path, size] of settings.uploads) {
      const answer = await page.evaluate(
        async ([to, length]) => {
          try {
            const options = { method: "POST", body: new Blob([new Uint8Array(length)]), redirect: "manual" };
            const response = await fetch(to, options);
            return response.type === "opaqueredirect" ? 302 : response.status;
          } catch (error) {
            return String(error);
          }
        },
        [path, size],
      );
      answers.push(["Chromium", path, size, answer]);
    }
    return { answers };
  },

  async websocket(context) {
    const page = await context.newPage();
    await page.goto(settings.url);
    await signInIfAsked(page);
    await expectApplication(page);
    // The page is there by HTTP/2, so that a connection is open that the WebSocket can use.
    const protocol = await page.evaluate(() => performance.getEntriesByType("navigation")[0].nextHopProtocol);
    const seen = await page.evaluate(
      (address) =>
        new Promise((resolve) => {
          const socket = new WebSocket(address, ["chat"]);
          const messages = [];
          socket.onopen = () => ["one", "two", "x".repeat(100000)].forEach((message) => socket.send(message));
          socket.onmessage = ({ data }) => {
            messages.push(data.length);
            if (messages.length === 3) socket.close(1000, "done");
          };
          socket.onclose = ({ code, wasClean }) => resolve({ messages, code, wasClean, chosen: socket.protocol });
        }),
      new URL("/socket", settings.url).href.replace(/^https/, "wss"),
    );
    return { protocol, ...seen };
  },

  async login(context) {
    const page = await context.newPage();
    const answer = await page.goto(settings.url);
    await expectForm(page);
    await picture(page, "sign-in-desktop.png");
    await phonePicture(page, "sign-in-phone.png");
    const signInUrl = page.url();
    await signIn(page);
    await expectApplication(page);
    await picture(page, "application.png");
    await phonePicture(page, "application-phone.png");
    const cookies = await sessionCookies(context);
    expect(cookies.length > 0, `no cookie called ${settings.session_cookie}* after signing in`);
    for (const { name, secure, httpOnly, sameSite, path } of cookies) {
      expect(secure && httpOnly && sameSite === "Lax" && path === "/", `${name} is not Secure; HttpOnly; SameSite=Lax; Path=/`);
    }
    expect(samePlace(page.url(), settings.url), `landed on ${page.url()} instead of ${settings.url}`);
    return { sign_in_url: signInUrl, sign_in_headers: answer.headers(), cookies: cookies.map(({ name }) => name) };
  },

  async "wrong-password"(context) {
    const page = await context.newPage();
    await page.goto(settings.url);
    await signIn(page, { password: `${settings.password}-wrong` });
    await expectForm(page);
    const alert = await page.locator("[role=alert], .error, .alert").first().innerText();
    expect(alert.trim() !== "", "nothing on the page says that the password was wrong");
    expect((await page.locator(PASSWORD).inputValue()) === "", "the page gives the password back");
    expect((await sessionCookies(context)).length === 0, "a session cookie in spite of a wrong password");
    await picture(page, "wrong-password.png");

    await signIn(page, { username: `${settings.username}-nobody` });
    await expectForm(page);
    const unknown = await page.locator("[role=alert], .error, .alert").first().innerText();
    expect(unknown === alert, `the page tells an unknown user (“${unknown}”) from a wrong password (“${alert}”)`);

    await signIn(page);
    await expectApplication(page);
    return { alert: alert.trim() };
  },

  async "expired-session"(context) {
    const page = await context.newPage();
    const deep = new URL("deep/page?answer=42", settings.url).href;
    await page.goto(deep);
    await signIn(page);
    await expectApplication(page);
    await expire(context);

    // A script cannot follow a login: it must be told, not redirected.
    const script = await page.evaluate(async (url) => {
      const answer = await fetch(url, { headers: { accept: "application/json" }, redirect: "manual" });
      return { type: answer.type, status: answer.status, body: answer.type === "opaqueredirect" ? "" : await answer.text() };
    }, deep);
    expect(script.status === 401, `fetch() with an expired session was answered ${script.type} ${script.status}, not 401`);

    await page.goto(deep);
    const silently = await signInIfAsked(page);
    await expectApplication(page);
    expect(page.url() === deep, `came back to ${page.url()} instead of ${deep}`);
    return { fetch: script, signed_in_again: silently ? "silently" : "form" };
  },

  async "second-tab"(context) {
    const addresses = ["one?tab=1", "two?tab=2"].map((path) => new URL(path, settings.url).href);
    const tabs = [];
    for (const address of addresses) {
      const page = await context.newPage();
      await page.goto(address);
      await expectForm(page);
      tabs.push(page);
    }
    // The tab that was opened first is used last: neither login may spoil the other.
    for (const index of [1, 0]) {
      await signInIfAsked(tabs[index]);
      await expectApplication(tabs[index]);
      expect(tabs[index].url() === addresses[index], `tab ${index + 1} landed on ${tabs[index].url()} instead of ${addresses[index]}`);
    }
    const third = await context.newPage();
    await third.goto(settings.url);
    await expectApplication(third);
    return { tabs: tabs.map((page) => page.url()) };
  },

  async "sign-out"(context) {
    const page = await context.newPage();
    await page.goto(settings.url);
    await signIn(page);
    await expectApplication(page);
    const link = page.locator(`a[href*="${settings.sign_out_path}"], form[action*="${settings.sign_out_path}"] button`).first();
    const offered = (await link.count()) > 0;
    if (offered) await clickThrough(page, link);
    else await page.goto(new URL(settings.sign_out_path, settings.url).href);
    const after = page.url();
    await picture(page, "signed-out.png");
    expect((await sessionCookies(context)).length === 0, "the session cookie is still there after signing out");

    // Signing out of the application alone would be undone here by the provider's own session.
    await page.goto(settings.url);
    await expectForm(page);
    return { signed_out_at: after, offered_by_the_application: offered };
  },

  // The session ends under a service worker: `pass` hands navigations on, `copy` makes requests of its own of them, `address`
  // fetches their addresses.
  async "service-worker"(context) {
    const deep = new URL("deep/page?answer=42", settings.url).href;
    const ways = {};
    for (const kind of ["pass", "copy", "address"]) {
      const page = await context.newPage();
      await page.goto(settings.url);
      await signInIfAsked(page);
      await page.evaluate(async (script) => {
        const container = navigator.serviceWorker;
        for (const old of await container.getRegistrations()) await old.unregister();
        const taken = new Promise((resolve) => container.addEventListener("controllerchange", resolve, { once: true }));
        await container.register(script);
        await taken;
      }, `/worker-${kind}.js`);
      for (const { name } of await sessionCookies(context)) await context.clearCookies({ name });
      await page.goto(deep);
      ways[kind] = "by itself";
      if (!(await isApplication(page))) {
        // A worker that fetches addresses hands on the answer for programs, with the address to sign in at.
        const link = (await page.innerText("body")).match(/Sign in: (\S+)/)?.[1] ?? fail(`${kind}: no way to sign in`);
        await page.goto(link);
        ways[kind] = "by the link";
      }
      await expectApplication(page);
      expect(page.url() === deep, `${kind}: came back to ${page.url()} instead of ${deep}`);
      await page.close();
    }
    return { ways };
  },

  // After a sign-out the back button shows nothing of the user, although the application lets its pages be kept.
  async "back-after-sign-out"(context) {
    const page = await context.newPage();
    await page.goto(new URL("kept", settings.url).href);
    await signIn(page);
    await expectApplication(page);
    await page.goto(new URL(settings.sign_out_path, settings.url).href);
    await picture(page, "signed-out.png");
    await page.goBack();
    await page.waitForLoadState("load");
    expect(!(await isApplication(page)), "the page of the user who has signed out is shown again");
    await expectForm(page);
    return { at: page.url() };
  },

  // Back and reload after a wrong password: no question whether to send the password again, and the form works.
  async "back-after-wrong-password"(context) {
    const page = await context.newPage();
    await page.goto(settings.url);
    for (const password of ["wrong", "wrong again"]) {
      await signIn(page, { password });
      await expectForm(page);
    }
    const alert = page.locator("[role=alert]");
    const told = await alert.innerText();
    await picture(page, "refused.png");
    await phonePicture(page, "refused-phone.png");
    const steps = { back: () => page.goBack(), reload: () => page.reload(), forward: () => page.goForward() };
    for (const [name, step] of Object.entries(steps)) {
      await step().catch((error) => fail(`${name}: ${error.message}`));
      await expectForm(page);
      expect((await alert.innerText()) === told, `${name}: the page says “${await alert.innerText()}”`);
      expect((await page.inputValue(USERNAME)) === settings.username, `${name}: the user name is gone`);
    }
    await signIn(page);
    await expectApplication(page);
    await page.goBack();
    await page.getByText("You are signed in").first().waitFor();
    return { told };
  },

  // Two pools on one host, at two ports: each keeps its session when the other signs in.
  async "two-pools"(context) {
    const places = [settings, settings.other];
    const pages = [];
    for (const place of places) {
      const page = await context.newPage();
      await page.goto(place.url);
      pages.push(page);
    }
    // Both forms are open before the first is sent.
    for (const [index, place] of places.entries()) {
      await signIn(pages[index], place);
      await expectApplication(pages[index]);
    }
    const pool = (name) => /^__Host-vestibule-pool/.test(name);
    for (const { name } of await context.cookies()) if (!pool(name)) await context.clearCookies({ name });
    for (const [index, place] of places.entries()) {
      await pages[index].goto(place.url);
      await expectApplication(pages[index]);
    }
    return { cookies: (await context.cookies()).map(({ name }) => name).filter(pool).sort() };
  },

  // Several providers of one rule, without scripts: chosen by the domain of an e-mail address, and by a click.
  async choose(context) {
    const page = await context.newPage();
    await page.goto(settings.url);
    const choices = () => page.locator(".choice").allInnerTexts();
    const before = await choices();
    await picture(page, "choose-desktop.png");
    await phonePicture(page, "choose-phone.png", 375);
    await page.emulateMedia({ colorScheme: "dark" });
    await picture(page, "choose-dark.png");
    await page.emulateMedia({ colorScheme: "light" });
    await page.keyboard.press("Tab");
    const focused = await page.locator(":focus").innerText();
    await picture(page, "choose-focus.png");

    const email = page.getByLabel("Or enter your e-mail address");
    await email.fill("eve@nowhere.test");
    await clickThrough(page, page.locator("button[type=submit]"));
    const alert = await page.locator("[role=alert]").innerText();
    await phonePicture(page, "choose-alert-phone.png", 375);
    await email.fill(settings.email);
    await clickThrough(page, page.locator("button[type=submit]"));
    await expectForm(page);
    const byEmail = new URL(page.url()).host;

    await page.goto(settings.url);
    await clickThrough(page, page.getByRole("link", { name: settings.choice }));
    await expectForm(page);
    const byClick = new URL(page.url()).host;
    await signIn(page);
    await expectApplication(page);
    expect(samePlace(page.url(), settings.url), `landed on ${page.url()} instead of ${settings.url}`);
    await page.goto(new URL(settings.sign_out_path, settings.url).href);
    await page.goto(settings.url);
    const after = await choices();
    await phonePicture(page, "choose-again-phone.png", 375);
    return { before, focused, alert, by_email: byEmail, by_click: byClick, after };
  },

  // A user of another pool, without scripts: sent there by the domain of an e-mail address, and by the button.
  async federated(context) {
    const page = await context.newPage();
    await page.goto(settings.url);
    const buttons = await page.locator(".choice").allInnerTexts();
    await picture(page, "provider-desktop.png");
    await phonePicture(page, "provider-phone.png", 375);
    await page.emulateMedia({ colorScheme: "dark" });
    await picture(page, "provider-dark.png");
    await page.emulateMedia({ colorScheme: "light" });
    await page.locator(".choice").focus();
    await picture(page, "provider-focus.png");

    await page.locator(USERNAME).fill("eve@nowhere.test");
    await clickThrough(page, page.locator(SUBMIT).first());
    await expectForm(page);
    const asked = await page.locator(USERNAME).inputValue();
    await phonePicture(page, "provider-password-phone.png", 375);

    await page.goto(settings.url);
    await page.locator(USERNAME).fill(settings.email);
    await clickThrough(page, page.locator(SUBMIT).first());
    await expectForm(page);
    const byEmail = new URL(page.url()).host;
    const hint = await page.locator(USERNAME).inputValue();
    await page.goBack();
    const back = new URL(page.url()).origin;

    await page.goto(settings.url);
    await clickThrough(page, page.getByRole("button", { name: settings.choice }));
    await expectForm(page);
    const byButton = new URL(page.url()).host;
    await signIn(page);
    await expectApplication(page);
    expect(samePlace(page.url(), settings.url), `landed on ${page.url()} instead of ${settings.url}`);
    await page.goto("https://login.test/oauth2/idpresponse/corp?code=x&state=y");
    const refused = await page.locator("h1").innerText();
    await picture(page, "provider-refused.png");
    return { buttons, asked_for_password: asked, by_email: byEmail, hint, back, by_button: byButton, refused };
  },

  // A frame and a form of a session that has ended.
  async "frame-and-form"(context) {
    const page = await context.newPage();
    await page.goto(new URL("outer", settings.url).href);
    await signIn(page);
    await expectApplication(page);
    for (const { name } of await sessionCookies(context)) await context.clearCookies({ name });
    const inner = () => page.frames().find((frame) => frame.parentFrame() !== null);
    await page.evaluate(() => { document.querySelector("iframe").src = "/inner?again"; });
    const link = page.frameLocator("iframe").getByRole("link", { name: "Sign in" });
    await link.waitFor({ state: "visible" }).catch(() => fail("the frame does not say that the session has ended"));
    await picture(page, "frame.png");
    const frameText = await inner().locator("body").innerText();
    let [tab] = await Promise.all([context.waitForEvent("page"), link.click()]);
    await tab.waitForLoadState("load");
    await signInIfAsked(tab, "You are signed in");
    await tab.getByText("You are signed in").first().waitFor();
    await picture(tab, "signed-in.png");
    await phonePicture(tab, "signed-in-phone.png");
    await tab.close();
    await page.evaluate(() => { document.querySelector("iframe").src = "/inner?back"; });
    await page.frameLocator("iframe").getByText(settings.signed_in).first().waitFor();

    for (const { name } of await sessionCookies(context)) await context.clearCookies({ name });
    await clickThrough(page, page.locator("form button"));
    await page.getByText("Your form was not sent").first().waitFor();
    for (const [name, media] of Object.entries({
      "form.png": {},
      "form-dark.png": { colorScheme: "dark" },
      "form-forced-colours.png": { forcedColors: "active" },
    })) {
      await page.emulateMedia({ colorScheme: "light", forcedColors: "none", ...media });
      await picture(page, name);
    }
    await page.emulateMedia({ colorScheme: "light", forcedColors: "none" });
    await phonePicture(page, "form-phone.png");
    [tab] = await Promise.all([context.waitForEvent("page"), page.getByRole("link", { name: "Sign in" }).click()]);
    await tab.waitForLoadState("load");
    await signInIfAsked(tab, "You are signed in");
    await tab.getByText("You are signed in").first().waitFor();
    await tab.close();
    await page.reload();
    await expectApplication(page);
    return { frame: frameText, form: await page.innerText("body") };
  },

  async picture(context) {
    const page = await context.newPage();
    const answer = await page.goto(settings.url);
    await picture(page, "page.png");
    await phonePicture(page, "page-phone.png");
    return { status: answer.status(), text: await page.innerText("body") };
  },

  /** Signs up, confirms the address, and replaces the password. The codes come in on standard input. */
  async "sign-up"(context) {
    const page = await context.newPage();
    const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
    const typedCode = async (waiting) => {
      console.log(JSON.stringify({ waiting }));
      await page.fill("input[name=code]", (await lines.next()).value);
    };
    const send = () => clickThrough(page, page.locator("form").first().locator(SUBMIT).first());
    const follow = (name) => clickThrough(page, page.getByRole("link", { name }));
    await page.goto(settings.url);
    await pictures(page, "sign-in-with-links");
    await follow("Create an account");
    await pictures(page, "sign-up");
    await page.fill("input[name=email]", settings.email);
    await page.fill("input[name=given_name]", "Ada");
    await page.fill(PASSWORD, "short");
    await send();
    await pictures(page, "sign-up-refused");
    expect((await page.locator("input[name=email]").inputValue()) === settings.email, "what was typed is lost");
    await page.fill(PASSWORD, settings.password);
    await send();
    await pictures(page, "verify");
    await typedCode("sign-up");
    await send();
    await expectApplication(page);

    await context.clearCookies();
    await page.goto(settings.url);
    await follow("I forgot my password");
    await pictures(page, "forgot-password");
    await page.fill(USERNAME, settings.email);
    await send();
    await pictures(page, "reset-password");
    await typedCode("recovery");
    await page.fill(PASSWORD, `${settings.password} again`);
    await send();
    await pictures(page, "password-changed");
    await follow("Go to the sign-in page");
    await signIn(page, { username: settings.email, password: `${settings.password} again` });
    await expectApplication(page);
    return {};
  },
};
scenarios["login-without-javascript"] = scenarios.login;
scenarios.dev = (context) => dev(context, settings, { clickThrough, expect, expectApplication, pictures });
scenarios["second-factors"] = (context) =>
  secondFactors(context, settings, { signIn, clickThrough, expect, expectApplication, pictures });
scenarios["one-person"] = (context) => {
  const newContext = () => context.browser().newContext(contextOptions());
  return onePerson(context, settings, { signIn, clickThrough, expect, expectApplication, look, newContext });
};
Object.assign(scenarios, ownPages({ settings, expect, expectApplication, expectForm, clickThrough, picture, phonePicture, signIn }));

async function signIn(page, { username = settings.username, password = settings.password } = {}) {
  await expectForm(page);
  await page.fill(USERNAME, username);
  await page.fill(PASSWORD, password);
  const form = page.locator("form").filter({ has: page.locator(PASSWORD) });
  await clickThrough(page, form.locator(SUBMIT).first());
}

/** Clicks what leads to another page, and waits until that page is there, redirects and all. */
async function clickThrough(page, locator) {
  const isMain = (frame) => frame === page.mainFrame();
  await Promise.all([page.waitForEvent("framenavigated", isMain), locator.click()]);
  await page.waitForLoadState("load");
}

/** Signs in when the form shows, and says whether the provider did without it. */
async function signInIfAsked(page, done = settings.signed_in) {
  if ((await page.innerText("body")).includes(done)) return true;
  await signIn(page);
  return false;
}

async function expectForm(page) {
  await page.locator(PASSWORD).waitFor({ state: "visible" }).catch(() => fail("no sign-in form"));
  expect(await page.locator(USERNAME).isVisible(), "the sign-in form has no visible field `username`");
}

const isApplication = async (page) => (await page.innerText("body")).includes(settings.signed_in);

async function expectApplication(page) {
  const shown = page.getByText(settings.signed_in).first();
  await shown.waitFor({ state: "visible" }).catch(() => fail(`the page does not say “${settings.signed_in}”`));
}

async function sessionCookies(context) {
  const cookies = await context.cookies(settings.url);
  return cookies.filter(({ name }) => name.startsWith(settings.session_cookie) && /^(-\d+)?$/.test(name.slice(settings.session_cookie.length)));
}

async function expire(context) {
  if (settings.expire === "clear") {
    for (const { name } of await sessionCookies(context)) await context.clearCookies({ name });
    return;
  }
  console.log(JSON.stringify({ waiting: "expire" }));
  const lines = createInterface({ input: process.stdin });
  await new Promise((resolve, reject) => {
    lines.once("line", resolve);
    lines.once("close", () => reject(new Error("standard input closed before the session was expired")));
  });
  lines.close();
}

async function picture(page, name) {
  if (!settings.screenshots) return;
  mkdirSync(settings.screenshots, { recursive: true });
  await page.screenshot({ path: join(settings.screenshots, name), animations: "disabled" });
}

async function phonePicture(page, name, width = 390) {
  if (!settings.screenshots) return;
  await page.setViewportSize({ width, height: 844 });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth).catch(() => 0);
  await picture(page, name);
  await page.setViewportSize({ width: settings.width, height: settings.height });
  expect(overflow <= 0, `${name}: the page is ${overflow} px wider than a phone`);
}

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/**
 * What axe finds that keeps people with a screen reader, without a mouse, or with weak eyes from using the page: nothing. It looks at a copy, because the
 * page itself may have no scripts. In the dark, only colours are different.
 */
async function accessible(page, name) {
  copy ??= await (await page.context().browser().newContext()).newPage();
  await copy.setViewportSize(page.viewportSize());
  await copy.setContent(await page.content(), { waitUntil: "domcontentloaded" });
  if (!(await copy.evaluate(() => "axe" in globalThis))) await copy.evaluate(AXE);
  for (const [colorScheme, options] of [["light", {}], ["dark", { runOnly: ["color-contrast"] }]]) {
    await copy.emulateMedia({ colorScheme });
    const { violations } = await copy.evaluate((asked) => globalThis.axe.run(asked), options);
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
    expect(found.length === 0, `${name}, ${colorScheme}: ${found.join("; ")}`);
  }
}

/** The page that axe looks at, for one page after the other. */
let copy;

/** On a desktop and on a phone, light and dark. */
async function pictures(page, name) {
  await accessible(page, name);
  if (!settings.screenshots) return;
  await picture(page, `${name}.png`);
  await phonePicture(page, `${name}-phone.png`);
  await page.emulateMedia({ colorScheme: "dark" });
  await picture(page, `${name}-dark.png`);
  await phonePicture(page, `${name}-phone-dark.png`);
  await page.emulateMedia({ colorScheme: "light" });
}

/**
 * On the device of the scenario: no wider than its window, nothing that axe finds, and pictures, light and dark. It says so, because whoever waits for a
 * line does not wait as long as a whole scenario may take.
 */
async function look(page, name) {
  console.log(JSON.stringify({ looks_at: name }));
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(overflow <= 0, `${name}: the page is ${overflow} px wider than the window`);
  await accessible(page, name);
  for (const colorScheme of settings.screenshots ? ["dark", "light"] : []) {
    await page.emulateMedia({ colorScheme });
    await picture(page, `${name}-${settings.is_phone ? "phone" : "desktop"}-${colorScheme}.png`);
  }
}

const samePlace = (one, other) => new URL(one).href === new URL(other).href;

function fail(message) {
  throw new Error(message);
}

function expect(holds, message) {
  if (!holds) fail(message);
}

/** Chromium's names for the certificates it may accept although no authority it knows signed them. */
function pinned(files) {
  const hashes = files.map((file) => {
    const key = new X509Certificate(readFileSync(file)).publicKey.export({ type: "spki", format: "der" });
    return createHash("sha256").update(key).digest("base64");
  });
  return `--ignore-certificate-errors-spki-list=${hashes.join(",")}`;
}

function contextOptions() {
  return {
    ignoreHTTPSErrors: !settings.trust,
    javaScriptEnabled: !["login-without-javascript", "choose", "sign-up", "federated"].includes(scenario),
    viewport: { width: settings.width, height: settings.height },
    ...(settings.is_phone ? { isMobile: true, hasTouch: true, deviceScaleFactor: 2 } : {}),
    serviceWorkers: scenario === "service-worker" ? "allow" : "block",
    bypassCSP: ["expired-session", "uploads"].includes(scenario), // they call fetch() in the application's page, whatever that allows
  };
}

async function main() {
  const run = scenarios[scenario] ?? fail(`no scenario “${scenario}”: one of ${Object.keys(scenarios).join(", ")}`);
  const browser = await chromium.launch({
    executablePath: process.env.VESTIBULE_TEST_CHROMIUM || "/usr/bin/chromium",
    headless: true,
    args: [
      "--no-sandbox", // tests run as root in containers, where Chromium's own sandbox cannot start
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      ...(settings.protocol === "http/1.1" ? ["--disable-http2"] : []),
      ...(settings.trust ? [pinned(settings.trust)] : []),
      ...(settings.resolve ? [`--host-resolver-rules=${settings.resolve}`] : []),
    ],
  });
  const problems = [];
  let context;
  try {
    context = await browser.newContext(contextOptions());
    context.setDefaultTimeout(settings.timeout_ms);
    context.on("console", (message) => {
      // Whether Chromium asks for an icon depends on how long a page is open. Nobody is signed in then, so the answer is 401.
      const isIcon = message.location().url.endsWith("/favicon.ico");
      if (message.type() === "error" && !isIcon) problems.push(message.text());
    });
    context.on("weberror", (error) => problems.push(String(error.error())));
    const seen = await run(context);
    const blocked = problems.filter((problem) => problem.includes("Content Security Policy"));
    expect(blocked.length === 0, `the pages break their own policy: ${blocked.join("; ")}`);
    console.log(JSON.stringify({ ok: true, ...seen, problems }));
  } catch (error) {
    const page = context?.pages().at(-1);
    const text = await page?.innerText("body", { timeout: 1000 }).catch(() => "");
    console.log(JSON.stringify({ ok: false, error: error.message, at: page?.url(), text: text?.slice(0, 2000), problems }));
    process.exitCode = 1;
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.log(JSON.stringify({ ok: false, error: error.message }));
  process.exitCode = 1;
});
