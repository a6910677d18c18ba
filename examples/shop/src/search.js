/** Longest query that is looked at, in characters. */
export const QUERY_LIMIT = 80;
const RESULTS = 20;

const words = (text) => text.toLowerCase().match(/[a-z]+/g) ?? [];

/**
 * An inverted index over names (weight 3) and descriptions (weight 1). A word that is known costs one look-up; one that is
 * not known is compared with the whole vocabulary, so misspelt queries are the slow ones.
 */
export function createSearch(products) {
  const postings = new Map();
  for (const product of products) {
    const weights = new Map();
    for (const word of words(product.description)) weights.set(word, 1);
    for (const word of words(product.name)) weights.set(word, 3);
    for (const [word, weight] of weights) {
      const list = postings.get(word) ?? [];
      list.push({ product, weight });
      postings.set(word, list);
    }
  }
  const vocabulary = [...postings.keys()];
  return (query) => {
    const scores = new Map();
    for (const word of words(query.slice(0, QUERY_LIMIT))) {
      const similar = postings.has(word) ? [{ word, likeness: 1 }] : nearest(word, vocabulary);
      for (const { word: known, likeness } of similar) {
        const list = postings.get(known);
        const rarity = Math.log(1 + products.length / list.length);
        for (const { product, weight } of list) {
          scores.set(product, (scores.get(product) ?? 0) + weight * likeness * rarity);
        }
      }
    }
    return [...scores]
      .sort(([a, x], [b, y]) => y - x || (a.id < b.id ? -1 : 1))
      .slice(0, RESULTS)
      .map(([product, score]) => ({ ...product, score: Number(score.toFixed(3)) }));
  };
}

/** Words of the vocabulary at most two edits away, and those that begin with `word`. */
function nearest(word, vocabulary) {
  const found = [];
  for (const known of vocabulary) {
    if (known.startsWith(word)) found.push({ word: known, likeness: 0.8 });
    else {
      const edits = editDistance(word, known);
      if (edits <= 2) found.push({ word: known, likeness: 1 / (1 + edits) });
    }
  }
  return found;
}

/** Levenshtein, one row at a time. */
export function editDistance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}
