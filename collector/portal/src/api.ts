// The query API as the portal uses it: the shapes of /api/v1, and fetching them.

export interface Step {
  step_id: string;
  attempt: number;
  status: string;
  result?: string;
  started_at?: string;
  finished_at?: string;
  duration_ms?: number;
  entities?: number;
  relationships?: number;
  error?: string;
}

export interface Completeness {
  expected?: number;
  received: number;
  dropped?: Record<string, number>;
}

export interface Run {
  run_id: string;
  attempt: number;
  connector_id: string;
  version?: string;
  site?: string;
  status: string;
  result?: string;
  result_source?: string;
  exit_code?: number;
  signal?: number;
  error?: string;
  started_at?: string;
  finished_at?: string;
  last_seen_at?: string;
  duration_ms?: number;
  entities?: number;
  relationships?: number;
  stats?: Record<string, number>;
  steps?: Step[];
  log_counts?: Record<string, number>;
  api_failures?: number;
  completeness?: Completeness;
  trace_id?: string;
  host?: string;
  clock_skew_ms?: number;
  attempts?: number[];
}

export interface LogRecord {
  at: string;
  severity: number;
  level: string;
  stream: string;
  message: string;
  step?: string;
  detail?: unknown;
  truncated?: boolean;
}

export interface ApiFailure {
  failure_id: string;
  run_id: string;
  attempt: number;
  step?: string;
  at: string;
  method: string;
  uri: string;
  code?: number;
  body?: string;
  error?: string;
}

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

/** A request that did not succeed, with the server's own words for it. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    detail: string,
  ) {
    super(detail);
  }
}

/** Fetches one document. Parameters that are empty are left out. Throws ApiError. */
export async function get<T>(path: string, parameters: Record<string, string> = {}, signal?: AbortSignal): Promise<T> {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== ''));
  const url = `/api/v1${path}${query.size > 0 ? `?${query}` : ''}`;
  let response: Response;
  try {
    response = await fetch(url, { headers: { accept: 'application/json' }, ...(signal ? { signal } : {}) });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, 'No answer', 'The collector does not answer. Is it still running?');
  }
  if (response.ok) return (await response.json()) as T;
  const problem: { title?: string; detail?: string } = await response.json().catch(() => ({}));
  throw new ApiError(response.status, problem.title ?? `Status ${response.status}`, problem.detail ?? `${url} answered ${response.status}.`);
}
