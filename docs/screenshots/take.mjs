// Takes the pictures; `make` starts this: node take.mjs ADDRESS USERNAME PASSWORD ACCOUNT

import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { dirname, join } from "node:path";

const here = dirname(fileURLToPath(import.meta.url));
const { chromium } = createRequire(join(here, "../../tests/node/package.json"))("playwright-core");
const [, , address, username, password, account] = process.argv;

const browser = await chromium.launch({
  executablePath: process.env.VESTIBULE_TEST_CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
try {
  const picture = (page, name) => page.screenshot({ path: join(here, `${name}.png`), animations: "disabled", caret: "hide" });
  const open = async (settings) => {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, colorScheme: "light", ...settings });
    const page = await context.newPage();
    await page.goto(address);
    return page;
  };
  const desktop = await open({ viewport: { width: 1100, height: 700 } });
  await desktop.fill("input[name=username]", username);
  await picture(desktop, "sign-in");
  await desktop.fill("input[name=password]", password);
  await desktop.click("button[type=submit]");
  await desktop.getByText("Signed in as").waitFor();
  await picture(desktop, "application");

  await desktop.goto(account);
  await picture(desktop, "account");
  await desktop.goto(`${account}/app`);
  await picture(desktop, "app");

  const stranger = await open({ viewport: { width: 1100, height: 700 } });
  await stranger.getByRole("link", { name: "Create an account" }).click();
  await stranger.getByRole("heading", { name: "Create an account" }).waitFor();
  await picture(stranger, "sign-up");

  const phone = await open({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
  await picture(phone, "phone");
} finally {
  await browser.close();
}
