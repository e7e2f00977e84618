// `vestibule dev` as a newcomer sees it: signs up, finds the code on the page of messages, adds a passkey and signs in with it.

import { virtualAuthenticator } from "./second-factors.mjs";

/** `tools` are the functions of browser.mjs. */
export async function dev(context, settings, tools) {
  const { clickThrough, expect, expectApplication, pictures } = tools;
  const page = await context.newPage();
  const device = await virtualAuthenticator(context, page);
  const send = () => clickThrough(page, page.locator("form").first().locator("button, input[type=submit]").first());

  await page.goto(settings.url);
  await pictures(page, "dev-sign-in");
  await clickThrough(page, page.getByRole("link", { name: "Create an account" }));
  await page.fill("input[name=username]", "ada");
  await page.fill("input[name=email]", "ada@example.com");
  await page.fill("input[type=password]", "a compiler for everybody");
  await send();

  const mails = await context.newPage();
  await mails.goto(settings.messages);
  // A message rests for up to a second before it is sent.
  const until = Date.now() + 20_000;
  let text = await mails.innerText("main");
  while (!text.includes("ada@example.com") && Date.now() < until) {
    await mails.reload();
    text = await mails.innerText("main");
  }
  await pictures(mails, "dev-messages");
  const [code] = text.match(/\b\d{6}\b/) ?? [];
  expect(text.includes("ada@example.com") && code, `no code on the page of messages: ${text}`);
  await mails.close();

  await page.fill("input[name=code]", code);
  await send();
  await expectApplication(page);
  const application = new URL(page.url()).origin;

  for (const name of ["", "/password", "/profile", "/email", "/phone", "/sessions", "/history", "/factors", "/delete"]) {
    const answer = await page.goto(`${settings.pool}/account${name}`);
    expect(answer.status() === 200, `/account${name}: ${answer.status()}`);
    await pictures(page, `dev-account-page${name.replace("/", "-")}`);
  }

  await page.goto(settings.add_passkey);
  await clickThrough(page, page.locator("#passkey button"));
  const credentials = await device.credentials();

  await device.answers(false);
  await context.clearCookies();
  await page.goto(settings.url);
  await page.locator("#passkey button").waitFor({ state: "visible" });
  await device.answers(true);
  await clickThrough(page, page.locator("#passkey button")).catch(() => {});
  await expectApplication(page);

  await page.goto(settings.pool);
  await expectApplication(page);
  expect(new URL(page.url()).origin === application, `the host of the pool leads to ${page.url()}`);
  return { credentials };
}
