import { Link } from '@tanstack/react-router';
import { Page } from '../parts/page.tsx';

export function NotFound() {
  return (
    <Page title="There is no such page" windowTitle="Not found">
      <p>
        The address names nothing here. The{' '}
        <Link to="/" className="link">
          matrix
        </Link>{' '}
        shows what runs where.
      </p>
    </Page>
  );
}
