// The portal as a person uses it: real runs through a real collector, looked at in Chromium.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const bin = process.env.RUNFOLD_BINARY_DIR;
const top = fileURLToPath(new URL('../..', import.meta.url));
const deadlineMs = 30_000;

let folder, collector, containerApi, browser, url;
const pageErrors = [];

/** Starts a program and gives the first match of `pattern` in what it prints. */
async function start(command, args, environment, pattern) {
  const child = spawn(command, args, { env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const found = new Promise((resolve, reject) => {
    const read = (chunk) => {
      said += chunk;
      const match = pattern.exec(said);
      if (match) resolve(match[1]);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('exit', (code) => reject(new Error(`${command} ended with ${code}:\n${said}`)));
    setTimeout(() => reject(new Error(`${command} did not say ${pattern} in time:\n${said}`)), deadlineMs).unref();
  });
  return { child, found: await found };
}

async function stop(child) {
  if (!child || child.exitCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await gone;
}

async function exec(runId, options, command) {
  const child = spawn(join(bin, 'runfold'), ['exec', '--run-id', runId, '--connector', 'invoices', '--connector-version', '2.1.0', '--site', 'acme', ...options, '--', ...command], {
    env: { ...process.env, RUNFOLD_STATE_DIR: folder },
    stdio: 'ignore',
  });
  const [code] = await once(child, 'exit');
  return code;
}

async function finishedRuns() {
  const response = await fetch(`${url}/api/v1/runs?status=finished`);
  return (await response.json()).items;
}

async function until(what, condition) {
  const end = Date.now() + deadlineMs;
  while (Date.now() < end) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`gave up waiting for ${what}`);
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'runfold-browser.'));
  const environment = { RUNFOLD_STATE_DIR: folder };
  ({ child: collector, found: url } = await start(join(bin, 'runfold-collector'), ['--embedded-broker', '--store', `sqlite:${folder}/runfold.db`, '--listen', '127.0.0.1:0'], environment, /serves (http:\/\/[\d.:]+)/));
  let containerApiUrl;
  ({ child: containerApi, found: containerApiUrl } = await start('python3', [join(top, 'deploy/demo/container_api.py')], {}, /(http:\/\/\S+)/));
  const connector = join(top, 'deploy/demo/dpkg_connector.py');
  assert.equal(await exec('good-1', ['--container-api', containerApiUrl], ['python3', connector]), 0);
  assert.equal(await exec('bad-1', ['--container-api', containerApiUrl], ['python3', connector, '--require', 'mapping.csv']), 3);
  assert.equal(await exec('quiet-1', [], ['true']), 0);
  await until('three finished runs', async () => (await finishedRuns()).length === 3);
  browser = await chromium.launch({
    executablePath: process.env.RUNFOLD_CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
});

after(async () => {
  await browser?.close();
  await stop(containerApi);
  await stop(collector);
  await rm(folder, { recursive: true, force: true });
});

async function open(path) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 1000 } });
  page.setDefaultTimeout(deadlineMs);
  page.on('pageerror', (error) => pageErrors.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && !message.text().includes('404') && pageErrors.push(message.text()));
  await page.goto(url + path);
  return page;
}

const rowOf = (page, runId) => page.getByRole('row').filter({ hasText: runId });

test('the list shows each run with status, exit code, times, site and version', async () => {
  const page = await open('/');
  const bad = rowOf(page, 'bad-1');
  await bad.waitFor();
  const cells = await bad.getByRole('cell').allInnerTexts();
  assert.deepEqual(cells.slice(0, 5), ['failure', '3', 'invoices', '2.1.0', 'acme']);
  assert.match(cells[5], /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
  assert.equal((await rowOf(page, 'good-1').getByRole('cell').allInnerTexts())[0], 'success');
  if (process.env.RUNFOLD_SCREENSHOTS) await page.screenshot({ path: join(process.env.RUNFOLD_SCREENSHOTS, 'runs.png') });
  await page.close();
});

test('an unknown count is a dash, not a zero', async () => {
  const page = await open('/');
  await rowOf(page, 'quiet-1').waitFor();
  assert.equal((await rowOf(page, 'quiet-1').getByRole('cell').allInnerTexts())[8], '–');
  await page.close();
});

test('filters narrow the list and stand in the address', async () => {
  const page = await open('/');
  await rowOf(page, 'good-1').waitFor();
  await page.getByLabel('Result').selectOption('failure');
  await rowOf(page, 'good-1').waitFor({ state: 'detached' });
  await rowOf(page, 'bad-1').waitFor();
  assert.equal(new URL(page.url()).search, '?result=failure');
  await page.reload();
  await rowOf(page, 'bad-1').waitFor();
  assert.equal(await rowOf(page, 'good-1').count(), 0);
  await page.getByLabel('Process ID').fill('no-such-run');
  await page.getByLabel('Process ID').press('Enter');
  await page.getByText('No run fits these filters').waitFor();
  await page.close();
});

test('a run leads from its row to why it failed', async () => {
  const page = await open('/');
  await page.getByRole('link', { name: 'bad-1' }).click();
  await page.getByRole('heading', { name: 'invoices' }).waitFor();
  const facts = await page.locator('.facts').innerText();
  for (const fact of ['Exit code\n3', 'Process ID\nbad-1', 'Site\nacme', 'Version\n2.1.0']) assert.ok(facts.includes(fact), `${fact} in:\n${facts}`);
  const failures = page.locator('table.calls');
  await failures.getByText('/v1/files/mapping.csv').waitFor();
  assert.match(await failures.innerText(), /404/);
  assert.match(await failures.innerText(), /There is no input file named 'mapping.csv'/);
  await page.getByRole('row').filter({ hasText: 'read' }).getByText('failure').waitFor();
  if (process.env.RUNFOLD_SCREENSHOTS) await page.screenshot({ path: join(process.env.RUNFOLD_SCREENSHOTS, 'run.png'), fullPage: true });
  await page.close();
});

test('logs are filtered by level, stream and words', async () => {
  const page = await open('/runs/bad-1');
  const logs = page.locator('.logs');
  await logs.getByText('No overrides.json: every package is taken as it is').first().waitFor();
  await page.getByLabel('Level').selectOption('3');
  await logs.getByText('The input file mapping.csv does not exist').first().waitFor();
  await logs.getByText('No overrides.json: every package').waitFor({ state: 'detached' });
  await page.getByLabel('Level').selectOption('');
  await page.getByRole('button', { name: 'STDERR' }).click();
  await logs.getByText('ConnectorError: cannot go on without mapping.csv').first().waitFor();
  assert.equal(await page.getByRole('button', { name: 'STDERR' }).getAttribute('aria-pressed'), 'true');
  await page.getByLabel('Words').fill('no such words anywhere');
  await page.getByLabel('Words').press('Enter');
  await page.getByText('No log record fits').waitFor();
  await page.close();
});

test('a run that nobody knows says so', async () => {
  const page = await open('/runs/never-was');
  const alert = page.getByRole('alert');
  await alert.waitFor();
  assert.match(await alert.innerText(), /never-was/);
  await page.close();
});

test('no page had an error of its own, and all of it came from the collector', async () => {
  assert.deepEqual(pageErrors, []);
  const response = await fetch(`${url}/`);
  assert.match(response.headers.get('content-security-policy') ?? '', /default-src 'self'/);
});
