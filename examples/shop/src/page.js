const ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

export const escapeHtml = (text) => String(text).replace(/[&<>"']/g, (character) => ESCAPES[character]);
export const money = (cents) => `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`;

/** The front page: the products of the day, which change with `day`. */
export function frontPage(products, day, version) {
  const items = Array.from({ length: 24 }, (_, i) => products[(day * 24 + i * 17) % products.length]).map(
    (product) =>
      `<li><a href="/products/${product.id}">${escapeHtml(product.name)}</a> <span>${money(product.priceCents)}</span><p>${escapeHtml(product.description)}</p></li>`,
  );
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Shop</title></head>
<body>
<h1>Shop</h1>
<form action="/search"><input name="q" aria-label="Search"> <button>Search</button></form>
<ul>
${items.join('\n')}
</ul>
<footer>${escapeHtml(version)}</footer>
</body>
</html>
`;
}
