"""REF-VLM: a language model that answers in words, boxes, masks, poses and depth maps. The only room with torch."""
