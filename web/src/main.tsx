import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { asProblem } from './api/problem.ts';
import { router } from './router.tsx';
import './styles.css';

const MAX_RETRIES = 2;

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 3_000,
      // The server is often this very machine: there is no "offline" to wait for.
      networkMode: 'always',
      retry: (count, error) => count < MAX_RETRIES && asProblem(error).retryable,
      retryDelay: (count) => 400 * 2 ** count,
      // What stopped with an error comes back by itself when the server does.
      refetchInterval: (query) =>
        query.state.error !== null && asProblem(query.state.error).retryable ? 5_000 : false,
    },
    mutations: { networkMode: 'always' },
  },
});

const element = document.getElementById('root');
if (element === null) throw new Error('index.html has no #root');
createRoot(element).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
