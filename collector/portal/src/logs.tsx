// A run's logs, latest first, by stream, level and words; the choice stands in the page's address.
import type { LogRecord } from './api';
import { useList } from './fetching';
import { count, timeOfDay } from './format';
import { go } from './location';
import { Choice, Empty, Failed, TextFilter } from './parts';

const levels = ['emergency', 'alert', 'critical', 'error', 'warning', 'notice', 'info', 'debug'];
const streams: [string, string][] = [
  ['', 'All'],
  ['application', 'Application'],
  ['stdout', 'STDOUT'],
  ['stderr', 'STDERR'],
  ['container_api', 'Container API'],
];

export function Logs(props: { path: string; attempt: string; address: URL; counts: Record<string, number> }) {
  const { address } = props;
  const value = (name: string) => address.searchParams.get(name) ?? '';
  const set = (name: string, to: string) => {
    const next = new URL(address);
    if (to === '') next.searchParams.delete(name);
    else next.searchParams.set(name, to);
    go(next.pathname + next.search, true);
  };
  const [level, stream, q] = [value('level'), value('stream'), value('q')];
  const logs = useList<LogRecord>(`${props.path}/logs`, { attempt: props.attempt, level, stream, q });
  const atLeast = (severity: number) => levels.reduce((sum, _, n) => (n <= severity ? sum + (props.counts[String(n)] ?? 0) : sum), 0);

  return (
    <>
      <div class="filters">
        <div class="tabs" role="group" aria-label="Stream">
          {streams.map(([name, text]) => (
            <button key={name} type="button" aria-pressed={stream === name} onClick={() => set('stream', name)}>
              {text}
            </button>
          ))}
        </div>
        <Choice
          label="Level"
          value={level}
          options={[['', 'all'], ...levels.map((name, severity): [string, string] => [String(severity), `${name}${severity > 0 ? ' and above' : ''} (${count(atLeast(severity))})`])]}
          onChange={(to) => set('level', to)}
        />
        <TextFilter wide label="Words" value={q} onChange={(to) => set('q', to)} />
        <button type="button" onClick={logs.reload}>
          Refresh
        </button>
      </div>
      {logs.error && <Failed error={logs.error} retry={logs.reload} />}
      {logs.items && logs.items.length === 0 && !logs.more && <Empty>{level || stream || q ? 'No log record fits.' : 'This run has logged nothing.'}</Empty>}
      {logs.items && logs.items.length > 0 && (
        <ol class="logs" aria-label="Log records, latest first">
          {logs.items.map((record, n) => (
            <Line key={n} record={record} />
          ))}
        </ol>
      )}
      {logs.more && (
        <button type="button" class="more" onClick={logs.loadMore}>
          Earlier records
        </button>
      )}
    </>
  );
}

function Line({ record }: { record: LogRecord }) {
  const detail = record.detail === undefined ? '' : typeof record.detail === 'string' ? record.detail : JSON.stringify(record.detail);
  return (
    <li class={`severity-${record.severity}`}>
      <time dateTime={record.at} title={`${record.at}`}>
        {timeOfDay(record.at)}
      </time>
      <span class="level">{record.level}</span>
      <span class="from">{record.step ?? (record.stream === 'application' ? '' : record.stream)}</span>
      <span class="text">
        {record.message}
        {record.truncated && <span class="quiet"> (cut)</span>}
        {detail && <code class="detail">{detail}</code>}
      </span>
    </li>
  );
}
