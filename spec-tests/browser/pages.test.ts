/** Our own pages: by keyboard, on small screens, in the dark, and where things are not allowed. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import type { ConfigInput } from '../../src/config/index.ts';
import { TestServer } from '../../src/testing/test-server.ts';
import { screenshot, TestBrowser } from './chromium.ts';
import { Person } from './person.ts';
import { collectProblems } from './problems.ts';

const PHONE = { viewport: { width: 320, height: 568 }, colorScheme: 'dark' } as const;
const TERMS: ConfigInput = {
  registration: { steps: ['terms'] },
  terms: [{ id: 'privacy', version: '1', name: 'Privacy policy', url: 'https://example.org/privacy' }],
};

describe('the pages in the box', () => {
  let browser: TestBrowser;

  before(async () => {
    browser = await TestBrowser.launch();
  });
  after(() => browser?.[Symbol.asyncDispose]());

  const startServer = (config: ConfigInput = {}) => TestServer.start({ config: { web: { client: true }, ...config } });

  it('fit on a small phone in the dark', async () => {
    await using server = await startServer();
    const page = await browser.newPage(PHONE);
    const problems = collectProblems(page);
    const pages = { start: '/', registration: '/_web/register', client: '/_web/' };
    for (const [name, target] of Object.entries(pages)) {
      await page.goto(server.baseUrl + target);
      await page.getByText(name === 'client' ? 'Log In' : /running|User name/).waitFor();
      await screenshot(page, `phone-${name}`);
      assert.equal(await widthBeyondScreen(page), 0, name);
      assert.ok((await brightness(page)) < 0.2, `${name} is dark`);
    }
    assert.deepEqual(problems, []);
  });

  it('can be used by keyboard alone', async () => {
    await using server = await startServer();
    const page = await browser.newPage();
    await page.goto(`${server.baseUrl}/`);
    const { keyboard } = page;
    await keyboard.press('Tab');
    await keyboard.press('Enter');
    await page.getByLabel('User name').and(page.locator(':focus')).waitFor();
    for (const text of ['carol', 'a good password', 'another password']) {
      await keyboard.type(text);
      await keyboard.press('Tab');
    }
    await keyboard.press('Enter');
    await page.getByRole('alert').getByText('The two passwords differ.').waitFor();
    // The field that is wrong has the focus.
    await keyboard.press('ControlOrMeta+A');
    await keyboard.type('a good password');
    await keyboard.press('Enter');
    await page.getByText('@carol:example.org').waitFor();
    await keyboard.press('Tab');
    await keyboard.press('Enter');
    await page.getByLabel('Homeserver').waitFor();
  });

  it('ask for consent to the terms', async () => {
    await using server = await startServer(TERMS);
    const dora = await Person.arrive(browser, 'dora', server.baseUrl);
    await dora.open('/_web/register');
    const policy = dora.page.getByRole('link', { name: 'Privacy policy' });
    assert.equal(await policy.getAttribute('href'), 'https://example.org/privacy');
    await dora.screenshot('registration-terms');
    await dora.fillRegistration();
    assert.equal(
      await dora.page.getByLabel('I agree to').evaluate((box: { checkValidity(): boolean }) => box.checkValidity()),
      false,
    );
    await dora.page.getByLabel('I agree to').check();
    await dora.page.getByRole('button', { name: 'Make the account' }).click();
    await dora.page.getByText('@dora:example.org').waitFor();
  });

  it('say what is wrong with a name', async () => {
    await using server = await startServer();
    await server.register('erin');
    const erin = await Person.arrive(browser, 'erin', server.baseUrl);
    await erin.open('/_web/register');
    await erin.fillRegistration();
    await erin.page
      .getByRole('alert')
      .filter({ hasText: /taken|in use/i })
      .waitFor();
    await erin.screenshot('registration-refused');
  });

  it('do not offer what is switched off', async () => {
    await using server = await startServer({ registration: { open_to: 'nobody' }, web: { client: false } });
    const page = await browser.newPage();
    await page.goto(`${server.baseUrl}/`);
    await page.getByText('Nobody has an account yet').waitFor();
    assert.equal(await page.getByRole('link').count(), 0);
    await page.goto(`${server.baseUrl}/_web/register`);
    await page.getByRole('alert').getByText(/./).waitFor();
    assert.equal(await page.getByLabel('User name').isVisible(), false);
    await screenshot(page, 'registration-closed');
    assert.equal((await page.goto(`${server.baseUrl}/_web/`))?.status(), 404);
  });

  it('tell where browsers do not let the client run', async () => {
    await using server = await startServer();
    const page = await browser.newPage();
    await page.goto(`http://homeserver.test:${new URL(server.baseUrl).port}/_web/`);
    await page
      .getByRole('alert')
      .getByText(/https:/)
      .waitFor();
    await screenshot(page, 'client-insecure');
  });
});

/** How far the page can be scrolled sideways, in pixels. */
function widthBeyondScreen(page: Page): Promise<number> {
  return page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth');
}

/** Of the background, from 0 (black) to 1. */
async function brightness(page: Page): Promise<number> {
  const color = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
  const [red = 0, green = 0, blue = 0] = (color.match(/\d+/g) ?? []).map(Number);
  return (red + green + blue) / (3 * 255);
}
