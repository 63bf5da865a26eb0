// Small pieces that more than one page shows.
import type { ComponentChildren } from 'preact';
import type { ApiError, Run } from './api';

/** A run's or step's state in one word: its result once it has one, else its status. */
export function State({ of }: { of: { status: string; result?: string; result_source?: string } }) {
  const word = of.result ?? of.status;
  const inferred = of.result_source === 'inferred';
  return (
    <span class={`state ${word}`} title={inferred ? 'Inferred by the collector; a declared result supersedes it' : undefined}>
      {word}
      {inferred ? ' ?' : ''}
    </span>
  );
}

/** How the process ended: its exit code, or the signal that killed it. */
export function exitOf(run: Run): string {
  if (run.signal !== undefined) return `signal ${run.signal}`;
  return run.exit_code === undefined ? '–' : String(run.exit_code);
}

export function runPath(run: { run_id: string; attempt: number }): string {
  return `/runs/${encodeURIComponent(run.run_id)}${run.attempt > 1 ? `?attempt=${run.attempt}` : ''}`;
}

export function Failed({ error, retry }: { error: ApiError; retry: () => void }) {
  return (
    <div class="failed" role="alert">
      <strong>{error.title}</strong>
      <p>{error.message}</p>
      <button type="button" onClick={retry}>
        Try again
      </button>
    </div>
  );
}

export function Choice(props: { label: string; value: string; options: [value: string, text: string][]; onChange: (value: string) => void }) {
  return (
    <label>
      {props.label}
      <select value={props.value} onChange={(event) => props.onChange(event.currentTarget.value)}>
        {props.options.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

export function TextFilter(props: { label: string; value: string; onChange: (value: string) => void; wide?: boolean }) {
  return (
    <label class={props.wide ? 'wide' : undefined}>
      {props.label}
      <input
        type="search"
        value={props.value}
        spellcheck={false}
        onChange={(event) => props.onChange(event.currentTarget.value.trim())}
        onKeyDown={(event) => event.key === 'Enter' && props.onChange(event.currentTarget.value.trim())}
      />
    </label>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}
