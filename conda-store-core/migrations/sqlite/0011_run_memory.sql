-- How many processes the kernel had killed for lack of memory when the last attempt began, and what that told of those
-- before: JSON that only workers read.
ALTER TABLE cs_build_run ADD COLUMN memory TEXT;
