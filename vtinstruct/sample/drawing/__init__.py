"""How the sample's pictures are drawn: brush, shapes, people, backdrops, layout, words. `scenes` joins them."""
