// The list of runs, newest first, with its filters in the page's address.
import type { Run } from './api';
import { useList } from './fetching';
import { count, duration, time } from './format';
import { go } from './location';
import { Choice, Empty, exitOf, Failed, runPath, State, TextFilter } from './parts';

const filters = ['connector', 'version', 'site', 'status', 'result', 'process_id'] as const;
type Filter = (typeof filters)[number];

export function RunsPage({ address }: { address: URL }) {
  const value = (name: Filter) => address.searchParams.get(name) ?? '';
  const set = (name: Filter, to: string) => {
    const next = new URL(address);
    if (to === '') next.searchParams.delete(name);
    else next.searchParams.set(name, to);
    go(next.pathname + next.search, true);
  };
  const parameters = Object.fromEntries(filters.map((name) => [name, value(name)]));
  const runs = useList<Run>('/runs', parameters, (items) => items.some((run) => run.status === 'running'));
  const filtered = filters.some((name) => value(name) !== '');

  return (
    <main>
      <div class="heading">
        <h1>Runs</h1>
        <button type="button" onClick={runs.reload}>
          Refresh
        </button>
      </div>
      <form class="filters" onSubmit={(event) => event.preventDefault()} aria-label="Filters">
        <TextFilter label="Connector" value={value('connector')} onChange={(to) => set('connector', to)} />
        <TextFilter label="Version" value={value('version')} onChange={(to) => set('version', to)} />
        <TextFilter label="Site" value={value('site')} onChange={(to) => set('site', to)} />
        <Choice
          label="Status"
          value={value('status')}
          options={[['', 'any'], ['pending', 'pending'], ['running', 'running'], ['finished', 'finished']]}
          onChange={(to) => set('status', to)}
        />
        <Choice
          label="Result"
          value={value('result')}
          options={[['', 'any'], ...['success', 'failure', 'error', 'timeout', 'cancelled', 'lost'].map((word): [string, string] => [word, word])]}
          onChange={(to) => set('result', to)}
        />
        <TextFilter wide label="Process ID" value={value('process_id')} onChange={(to) => set('process_id', to)} />
      </form>
      {runs.error && <Failed error={runs.error} retry={runs.reload} />}
      {runs.items && runs.items.length === 0 && (
        <Empty>
          {filtered ? (
            <>
              No run fits these filters. <a href="/" data-page>Show all runs</a>
            </>
          ) : (
            <>
              No run yet. Start one: <code>runfold exec --connector my-connector -- ./my-connector</code>
            </>
          )}
        </Empty>
      )}
      {runs.items && runs.items.length > 0 && (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">Status</th>
                <th scope="col">Exit code</th>
                <th scope="col">Connector</th>
                <th scope="col">Version</th>
                <th scope="col">Site</th>
                <th scope="col">Started at (UTC)</th>
                <th scope="col">Finished at (UTC)</th>
                <th scope="col" class="number">Duration</th>
                <th scope="col" class="number">Entities</th>
                <th scope="col" class="number">API failures</th>
                <th scope="col">Process ID</th>
              </tr>
            </thead>
            <tbody>
              {runs.items.map((run) => (
                <tr key={`${run.run_id}/${run.attempt}`}>
                  <td>
                    <State of={run} />
                  </td>
                  <td>{exitOf(run)}</td>
                  <td>{run.connector_id}</td>
                  <td>{run.version ?? '–'}</td>
                  <td>{run.site ?? '–'}</td>
                  <td class="time">{time(run.started_at)}</td>
                  <td class="time">{time(run.finished_at)}</td>
                  <td class="number">{duration(run.duration_ms)}</td>
                  <td class="number">{count(run.entities)}</td>
                  <td class="number">{count(run.api_failures)}</td>
                  <td>
                    <a class="id" href={runPath(run)} title={run.run_id} data-page>
                      {run.run_id}
                    </a>
                    {run.attempt > 1 && <span class="quiet"> attempt {run.attempt}</span>}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {runs.more && (
        <button type="button" class="more" onClick={runs.loadMore}>
          Older runs
        </button>
      )}
    </main>
  );
}
