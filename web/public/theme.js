// Before the first paint, so that no page flashes in the other theme; a file, because the policy allows no inline script.
try {
  const theme = localStorage.getItem('slipway.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // storage is off: the system's theme it is
}
