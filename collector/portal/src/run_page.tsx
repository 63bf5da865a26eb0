// One run: how it ended first, then its failing calls, its logs, and its steps.
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import type { Run, Step } from './api';
import { ApiFailures } from './api_failures';
import { useDocument } from './fetching';
import { completeness, count, dash, duration, time } from './format';
import { Logs } from './logs';
import { Empty, exitOf, Failed, State } from './parts';

export function RunPage({ runId, address }: { runId: string; address: URL }) {
  const attempt = address.searchParams.get('attempt') ?? '';
  const path = `/runs/${encodeURIComponent(runId)}`;
  const { data: run, error, reload } = useDocument<Run>(path + (attempt ? `?attempt=${encodeURIComponent(attempt)}` : ''), (r) => r.status === 'running');
  useEffect(() => {
    document.title = `${runId} – Runfold`;
  }, [runId]);

  return (
    <main>
      <p class="crumbs">
        <a href="/" data-page>Runs</a> / {runId}
      </p>
      {error && <Failed error={error} retry={reload} />}
      {run && (
        <>
          <div class="heading">
            <h1>
              {run.connector_id} <State of={run} />
            </h1>
            <button type="button" onClick={reload}>
              Refresh
            </button>
          </div>
          {run.error && <p class="run-error">{run.error}</p>}
          <Facts run={run} />
          <section aria-labelledby="steps">
            <h2 id="steps">Steps</h2>
            <Steps steps={run.steps ?? []} />
          </section>
          <section aria-labelledby="api-failures">
            <h2 id="api-failures">Container API failures</h2>
            <ApiFailures key={run.status} path={path} attempt={String(run.attempt)} running={run.status === 'running'} />
          </section>
          <section aria-labelledby="logs">
            <h2 id="logs">Logs</h2>
            <Logs key={run.status} path={path} attempt={String(run.attempt)} address={address} counts={run.log_counts ?? {}} />
          </section>
        </>
      )}
    </main>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Facts({ run }: { run: Run }) {
  const stats = Object.entries(run.stats ?? {});
  return (
    <dl class="facts">
      <Fact name="Exit code">{exitOf(run)}</Fact>
      <Fact name="Started at (UTC)">{time(run.started_at)}</Fact>
      <Fact name="Finished at (UTC)">{time(run.finished_at)}</Fact>
      <Fact name="Duration">{duration(run.duration_ms)}</Fact>
      <Fact name="Process ID">
        <span class="id">{run.run_id}</span>
      </Fact>
      <Fact name="Attempt">
        {run.attempt}
        {(run.attempts ?? [])
          .filter((other) => other !== run.attempt)
          .map((other) => (
            <a key={other} href={`/runs/${encodeURIComponent(run.run_id)}?attempt=${other}`} data-page>
              {' '}
              {other}
            </a>
          ))}
      </Fact>
      <Fact name="Site">{run.site ?? dash}</Fact>
      <Fact name="Version">{run.version ?? dash}</Fact>
      <Fact name="Entities emitted">{count(run.entities)}</Fact>
      <Fact name="Relationships emitted">{count(run.relationships)}</Fact>
      {stats.map(([name, n]) => (
        <Fact key={name} name={name.replace('_', ' ')}>
          {count(n)}
        </Fact>
      ))}
      {run.completeness && <Fact name="Completeness">{completeness(run.completeness)}</Fact>}
      {run.clock_skew_ms !== undefined && (
        <Fact name="Connector's clock">{`${duration(Math.abs(run.clock_skew_ms))} ${run.clock_skew_ms < 0 ? 'fast' : 'slow'}`}</Fact>
      )}
      {run.host && <Fact name="Host">{run.host}</Fact>}
      {run.trace_id && (
        <Fact name="Trace ID">
          <span class="id">{run.trace_id}</span>
        </Fact>
      )}
    </dl>
  );
}

function Steps({ steps }: { steps: Step[] }) {
  if (steps.length === 0) return <Empty>This run has named no steps.</Empty>;
  return (
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Step</th>
            <th scope="col">Status</th>
            <th scope="col">Started at (UTC)</th>
            <th scope="col" class="number">Duration</th>
            <th scope="col" class="number">Entities</th>
            <th scope="col" class="number">Relationships</th>
            <th scope="col">Error</th>
          </tr>
        </thead>
        <tbody>
          {steps.map((step) => (
            <tr key={`${step.step_id}/${step.attempt}`}>
              <td>
                {step.step_id}
                {step.attempt > 1 && <span class="quiet"> attempt {step.attempt}</span>}
              </td>
              <td>
                <State of={step} />
              </td>
              <td class="time">{time(step.started_at)}</td>
              <td class="number">{duration(step.duration_ms)}</td>
              <td class="number">{count(step.entities)}</td>
              <td class="number">{count(step.relationships)}</td>
              <td class="message">{step.error ?? ''}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
