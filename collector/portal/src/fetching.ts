// Data from the API as state: a document, or a list that grows a page at a time.
import { useCallback, useEffect, useState } from 'preact/hooks';
import { ApiError, get, type Page } from './api';

export interface Fetched<T> {
  data?: T;
  error?: ApiError;
  reload: () => void;
}

/** Fetches a document, and again every `everyMs` while `again` says so of it. What was shown stays until the new one is there. */
export function useDocument<T>(path: string, again: (data: T) => boolean, everyMs = 3000): Fetched<T> {
  const [state, setState] = useState<{ path: string; data?: T; error?: ApiError }>({ path });
  const [round, setRound] = useState(0);
  const reload = useCallback(() => setRound((n) => n + 1), []);
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    get<T>(path, {}, abort.signal)
      .then((data) => {
        setState({ path, data });
        if (again(data)) timer = setTimeout(reload, everyMs);
      })
      .catch((error: unknown) => {
        if (error instanceof ApiError) setState((old) => ({ ...(old.path === path ? old : { path }), error }));
      });
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [path, round]);
  const { data, error } = state.path === path ? state : { data: undefined, error: undefined };
  return { ...(data === undefined ? {} : { data }), ...(error === undefined ? {} : { error }), reload };
}

export interface List<T> {
  /** Absent until the first page is there. */
  items?: T[];
  error?: ApiError;
  more: boolean;
  loadMore: () => void;
  reload: () => void;
}

/** Fetches the first page of a list, and further ones as asked. Starts over when path or parameters change. */
export function useList<T>(path: string, parameters: Record<string, string>, again: (items: T[]) => boolean = () => false, everyMs = 3000): List<T> {
  const key = path + JSON.stringify(parameters);
  const [state, setState] = useState<{ key: string; items?: T[]; cursor: string | null; pages: number; error?: ApiError }>({ key, cursor: null, pages: 0 });
  const [round, setRound] = useState(0);
  const reload = useCallback(() => setRound((n) => n + 1), []);
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    get<Page<T>>(path, parameters, abort.signal)
      .then((page) => {
        setState({ key, items: page.items, cursor: page.next_cursor, pages: 1 });
        if (again(page.items)) timer = setTimeout(reload, everyMs);
      })
      .catch((error: unknown) => {
        if (error instanceof ApiError) setState((old) => ({ ...(old.key === key ? old : { key, cursor: null, pages: 0 }), error }));
      });
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [key, round]);
  const current = state.key === key ? state : { key, cursor: null, pages: 0 };
  const loadMore = () => {
    if (current.cursor === null) return;
    get<Page<T>>(path, { ...parameters, cursor: current.cursor })
      .then((page) =>
        setState((old) =>
          old.key !== key || old.cursor !== current.cursor
            ? old
            : { key, items: [...(old.items ?? []), ...page.items], cursor: page.next_cursor, pages: old.pages + 1 },
        ),
      )
      .catch((error: unknown) => {
        if (error instanceof ApiError) setState((old) => ({ ...old, error }));
      });
  };
  return {
    ...('items' in current && current.items ? { items: current.items } : {}),
    ...('error' in current && current.error ? { error: current.error } : {}),
    more: current.cursor !== null,
    loadMore,
    reload,
  };
}
