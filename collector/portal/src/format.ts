// Values as people read them. What is absent is shown as a dash, never as zero.

export const dash = '–';

/** "2026-05-16 14:32:11" in UTC. */
export function time(at: string | undefined): string {
  return at === undefined ? dash : at.slice(0, 19).replace('T', ' ');
}

/** "14:32:11.123" in UTC. */
export function timeOfDay(at: string): string {
  return at.slice(11, 23);
}

/** "412 ms", "12.3 s", "4 min 05 s", "2 h 07 min". */
export function duration(ms: number | undefined): string {
  if (ms === undefined) return dash;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const pad = (n: number) => String(n).padStart(2, '0');
  const seconds = Math.floor(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${pad(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${pad(Math.floor((seconds % 3600) / 60))} min`;
}

export function count(n: number | undefined): string {
  return n === undefined ? dash : n.toLocaleString('en');
}

/** "237 of 240 records received, 3 rate-limited, 90 debug not needed". */
export function completeness(of: { expected?: number; received: number; dropped?: Record<string, number> }): string {
  const received = of.expected === undefined ? `${count(of.received)} records received` : `${count(of.received)} of ${count(of.expected)} records received`;
  const dropped = Object.entries(of.dropped ?? {}).map(([reason, n]) => `${count(n)} ${reason === 'not_needed' ? 'debug not needed' : reason.replaceAll('_', '-')}`);
  return [received, ...dropped].join(', ');
}
