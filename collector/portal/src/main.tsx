// The portal: which page an address shows.
import { render } from 'preact';
import { useEffect } from 'preact/hooks';
import { followLinks, useAddress } from './location';
import { RunPage } from './run_page';
import { RunsPage } from './runs_page';
import './style.css';

function Page({ address }: { address: URL }) {
  const run = /^\/runs\/([^/]+)\/?$/.exec(address.pathname);
  if (run?.[1]) return <RunPage runId={decodeURIComponent(run[1])} address={address} />;
  if (address.pathname === '/' || address.pathname === '/runs') return <RunsPage address={address} />;
  return (
    <main>
      <h1>No such page</h1>
      <p>
        There is nothing at {address.pathname}. <a href="/" data-page>Show the runs</a>
      </p>
    </main>
  );
}

function Portal() {
  const address = useAddress();
  useEffect(() => {
    if (!address.pathname.startsWith('/runs/')) document.title = 'Runs – Runfold';
  }, [address.pathname]);
  return (
    <div onClick={followLinks}>
      <header>
        <a class="name" href="/" data-page>
          <img src="/icon.svg" alt="" width="22" height="22" /> Runfold
        </a>
        <nav aria-label="Beside the portal">
          <a href="/openapi.json">API</a>
          <a href="/metrics">Metrics</a>
        </nav>
      </header>
      <Page address={address} />
    </div>
  );
}

const portal = document.getElementById('portal');
if (portal) {
  portal.textContent = '';
  render(<Portal />, portal);
}
