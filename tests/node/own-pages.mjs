// Scenarios of `browser.mjs`: pages of a user pool with the look of the operator, and a sign-in page of the operator.

export function ownPages({ settings, expect, expectApplication, expectForm, clickThrough, picture, phonePicture, signIn }) {
  return {
    // The sign-in page of a pool with a logo, a stylesheet and links, in light and dark, on a desktop and a phone.
    async branding(context) {
      const page = await context.newPage();
      const sheets = [];
      page.on("response", (response) => {
        if (response.request().resourceType() === "stylesheet") sheets.push([response.status(), response.url()]);
      });
      await page.goto(settings.url);
      await expectForm(page);
      const style = () =>
        page.evaluate(() => {
          const of = (selector, property) => getComputedStyle(document.querySelector(selector))[property];
          document.querySelector("input[name=password]").focus();
          return {
            host: location.host,
            button: of("button", "backgroundColor"),
            label: of("label", "fontWeight"),
            card: of("main", "backgroundColor"),
            outline: of("input[name=password]", "outlineStyle"),
            heading: document.title,
            links: [...document.querySelectorAll("footer a")].map((link) => [link.textContent, link.href]),
            logo: document.querySelector(".brand img")?.naturalWidth ?? 0,
          };
        });
      const light = await style();
      await picture(page, "branding-desktop.png");
      await phonePicture(page, "branding-phone.png");
      await phonePicture(page, "branding-small.png", 320);
      await page.emulateMedia({ colorScheme: "dark" });
      const dark = await style();
      await picture(page, "branding-dark.png");
      await phonePicture(page, "branding-dark-phone.png");
      await page.emulateMedia({ colorScheme: "light" });
      await signIn(page, { password: "wrong" });
      await expectForm(page);
      await picture(page, "branding-alert.png");
      await phonePicture(page, "branding-alert-phone.png");
      await signIn(page);
      await expectApplication(page);
      return { light, dark, sheets };
    },

    // A page of the operator sends the password; the session begins at the pool.
    async "own-login-page"(context) {
      const page = await context.newPage();
      await page.goto(settings.url);
      await page.locator("input[name=password]").waitFor();
      const at = page.url();
      await phonePicture(page, "own-page-phone.png");
      const send = async (password) => {
        await page.fill("input[name=username]", settings.username);
        await page.fill("input[name=password]", password);
      };
      await send("wrong");
      await page.locator("button").click();
      await page.locator("#message:not(:empty)").waitFor();
      const told = await page.innerText("#message");
      const kept = await page.inputValue("input[name=password]");
      expect(kept === "", "the page keeps a wrong password");
      await send(settings.password);
      await clickThrough(page, page.locator("button"));
      await expectApplication(page);
      const landed = page.url();
      const cookies = (await context.cookies()).map(({ name, domain }) => `${domain} ${name}`).sort();

      // In another browser: the link for other ways leads to our own page.
      const other = await context.browser().newContext({ ignoreHTTPSErrors: true });
      const second = await other.newPage();
      await second.goto(settings.url);
      await clickThrough(second, second.locator("#other"));
      await expectForm(second);
      const ours = new URL(second.url());
      await signIn(second);
      await expectApplication(second);
      await other.close();
      return { at, told, landed, cookies, ours: ours.origin + ours.pathname };
    },
  };
}
