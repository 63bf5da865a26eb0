// The page's address as state: path and query, changed without loading the page anew.
import { useEffect, useState } from 'preact/hooks';

const moved = 'portal:moved';

/** Goes to an address of the portal. `replace` leaves no entry in the history: for filters as they are typed. */
export function go(to: string, replace = false): void {
  if (replace) history.replaceState(null, '', to);
  else history.pushState(null, '', to);
  window.dispatchEvent(new Event(moved));
}

/** The address now; the component is drawn again when it changes. */
export function useAddress(): URL {
  const [address, setAddress] = useState(() => new URL(location.href));
  useEffect(() => {
    const update = () => setAddress(new URL(location.href));
    window.addEventListener('popstate', update);
    window.addEventListener(moved, update);
    return () => {
      window.removeEventListener('popstate', update);
      window.removeEventListener(moved, update);
    };
  }, []);
  return address;
}

/** Makes plain clicks on links of the portal stay in the page. */
export function followLinks(event: MouseEvent): void {
  const link = (event.target as Element | null)?.closest('a');
  if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.origin !== location.origin || link.target || link.hasAttribute('download') || !link.dataset.page) return;
  event.preventDefault();
  go(link.href);
  window.scrollTo(0, 0);
}
