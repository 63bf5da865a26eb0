// A run's failing Container API calls: which endpoint, which code, and what it answered.
import type { ApiFailure } from './api';
import { useList } from './fetching';
import { timeOfDay } from './format';
import { Empty, Failed } from './parts';

/** While the run is `running`, the list is fetched again every few seconds. */
export function ApiFailures({ path, attempt, running }: { path: string; attempt: string; running: boolean }) {
  const failures = useList<ApiFailure>(`${path}/api-failures`, { attempt }, () => running);
  if (failures.error) return <Failed error={failures.error} retry={failures.reload} />;
  if (!failures.items) return null;
  if (failures.items.length === 0) return <Empty>No call to the Container API failed.</Empty>;
  return (
    <>
      <div class="scroll">
        <table class="calls">
          <thead>
            <tr>
              <th scope="col">Time (UTC)</th>
              <th scope="col">Response code</th>
              <th scope="col">Request URI</th>
              <th scope="col">Response body</th>
            </tr>
          </thead>
          <tbody>
            {failures.items.map((failure) => (
              <tr key={failure.failure_id}>
                <td class="time">{timeOfDay(failure.at)}</td>
                <td>{failure.code ?? 'no response'}</td>
                <td class="message">
                  <span class="method">{failure.method}</span> {failure.uri}
                </td>
                <td class="message">
                  <pre>{failure.body || failure.error || ''}</pre>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {failures.more && (
        <button type="button" class="more" onClick={failures.loadMore}>
          Earlier failures
        </button>
      )}
    </>
  );
}
