// A browser that signs in to the pages and out again, by a token. Says what it saw as a line of JSON.
import { chromium } from 'playwright-core';

const [address, token] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const context = await browser.newContext();
const page = await context.newPage();
const refused = [];
page.on('console', (message) => { if (message.text().includes('Content Security Policy')) refused.push(message.text()); });
// By the other name of this machine, whose cookies are others.
await page.goto(address.replace('127.0.0.1', 'localhost'));
const asked = new URL(page.url());
await page.fill('#token', token);
await Promise.all([page.waitForNavigation(), page.click('form:has(#token) button')]);
const [seen, cookies] = [await page.textContent('body'), await context.cookies()];
await Promise.all([page.waitForNavigation(), page.click('text=Sign out')]);
const out = await page.textContent('main');
await page.goto(address);
console.log(JSON.stringify({ asked: asked.host + asked.pathname, seen, out, after: new URL(page.url()).pathname, refused,
  cookies: cookies.map(({ name, httpOnly, sameSite }) => ({ name, httpOnly, sameSite })), left: (await context.cookies()).length }));
await browser.close();
