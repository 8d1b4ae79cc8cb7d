-- A finite number, or nothing.
CREATE MACRO number(x) AS
    CASE WHEN isfinite(try_cast(trim(x) AS DOUBLE)) THEN try_cast(trim(x) AS DOUBLE) END;

-- Pain is free text: a number, or a range such as 7-9, which counts as its middle; else nothing.
CREATE MACRO pain_points(x) AS
    CASE WHEN regexp_full_match(x, '[0-9.]+\s*[-–]\s*[0-9.]+')
         THEN (number(regexp_extract(x, '^[0-9.]+')) + number(regexp_extract(x, '[0-9.]+$'))) / 2
         ELSE number(x) END;

CREATE MACRO celsius(fahrenheit) AS (fahrenheit - 32) * 5 / 9;

-- The last value of a group that is there; of values with one time the largest, for want of an order.
CREATE MACRO latest(time, x) AS
    (max({'time': time, 'x': x}) FILTER (WHERE time IS NOT NULL AND x IS NOT NULL)).x;

CREATE MACRO says(complaint, pattern) AS coalesce(regexp_matches(complaint, pattern, 'i'), false);
