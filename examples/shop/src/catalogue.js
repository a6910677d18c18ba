const ADJECTIVES =
  'amber brass cedar coastal cotton copper crimson dusk elm ember fern flint folded forest frosted glazed golden granite harbour hazel indigo ivory linen lunar maple meadow midnight moss oak olive pearl pine quartz river rowan rustic saffron sage slate smoked soft stone sunlit tidal umber velvet walnut willow winter woven'.split(
    ' ',
  );
const NOUNS =
  'apron basket blanket bowl candle carafe chair clock cup cushion desk hook jar jug kettle lamp mirror mug napkin pan pitcher plate pot rack rug scarf shelf spoon stool table teapot throw tile towel tray trivet vase'.split(
    ' ',
  );
const DETAILS =
  'hand thrown in small batches|dries quickly and folds flat|made from reclaimed wood|finished with natural oil|safe for the dishwasher|woven on a narrow loom|fired twice for a deep glaze|softens with every wash|stacks neatly in a drawer|comes with a repair kit|cut from a single piece|dyed with plants'.split(
    '|',
  );

/** How many products the shop sells. */
export const PRODUCTS = 900;

/**
 * The products, always the same ones: ids `p-0001` and up, prices in cents. There is no database behind them; a shop
 * that starts in a moment and answers the same everywhere is what a release tool wants to roll out.
 */
export function createCatalogue(count = PRODUCTS) {
  const products = [];
  for (let i = 0; i < count; i++) {
    const adjective = ADJECTIVES[(i * 7) % ADJECTIVES.length];
    const noun = NOUNS[(i * 5 + Math.floor(i / ADJECTIVES.length)) % NOUNS.length];
    products.push(
      Object.freeze({
        id: `p-${String(i + 1).padStart(4, '0')}`,
        name: `${adjective[0].toUpperCase()}${adjective.slice(1)} ${noun}`,
        description: `A ${adjective} ${noun}, ${DETAILS[(i * 11) % DETAILS.length]}; ${DETAILS[(i * 3 + 5) % DETAILS.length]}.`,
        priceCents: 450 + ((i * 7919) % 9_500),
        stock: 400 + ((i * 31) % 200),
      }),
    );
  }
  return { products, byId: new Map(products.map((product) => [product.id, product])) };
}
