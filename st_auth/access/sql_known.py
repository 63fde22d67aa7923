"""What may stand in a statement that reads: nodes of the syntax tree, and functions that give nothing but what they are given: those that
sqlglot knows by a class, and others by their names in a dialect.

What reads a file, another table or a setting, asks a model, or changes anything is not among them; nor is what we have not looked at.
"""

from collections.abc import Mapping
from typing import Final

__all__ = ["BY_CLASS", "BY_NAME", "NODES", "TABLES_BY_CLASS", "TABLES_BY_NAME"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NODES: Final = _words(
    """
    Add Adjacent Alias Aliases All Any AtIndex AtTimeZone Between BitString BitwiseAnd BitwiseLeftShift BitwiseNot BitwiseOr
    BitwiseRightShift BitwiseXor Boolean Bracket ByteString Column ColumnDef Comprehension Connect Cube DPipe DataType DataTypeParam
    Distance DistanceNd Distinct Div Dot EQ Escape Except ExtendsLeft ExtendsRight Fetch Filter ForIn FormatJson From FromTimeZone GT
    GTE Glob Group GroupingSets Having HavingMax HexString ILike Identifier IgnoreNulls IntDiv Intersect Interval IntervalOp
    IntervalSpan Is JSON JSONColumnDef JSONExtractQuote JSONKeyValue JSONPath JSONPathKey JSONPathRecursive JSONPathRoot JSONPathSlice
    JSONPathSubscript JSONPathUnion JSONPathWildcard JSONSchema JSONValue Kwarg LT LTE Lambda Like Limit LimitOptions Literal Mod Mul
    NEQ Neg NestedJSONSelect Not Null NullSafeEQ NullSafeNEQ Offset OnCondition OpenJSONColumnDef Order Ordered OverflowTruncateBehavior
    Overlaps Paren PivotAlias PivotAny PositionalColumn Prior PropertyEQ Qualify RawString RespectNulls Rollup SimilarTo Slice Star Sub
    TableAlias TableColumn TableSample TimeUnit TranslateCharacters Tuple Union UnpivotColumns Values Var Where Window WindowSpec
    WithinGroup XMLNamespace
    """
)

BY_CLASS: Final = _words(
    """
    Abs Acos Acosh AddMonths And AnyValue ApproxDistinct ApproxPercentileAccumulate ApproxPercentileCombine ApproxPercentileEstimate
    ApproxQuantile ApproxQuantiles ApproxTopK ApproxTopKAccumulate ApproxTopKCombine ApproxTopKEstimate ApproxTopSum ApproximateSimilarity
    ArgMax ArgMin Array ArrayAgg ArrayAll ArrayAny ArrayAppend ArrayCompact ArrayConcat ArrayConcatAgg ArrayConstructCompact
    ArrayContainedBy ArrayContains ArrayContainsAll ArrayDistinct ArrayExcept ArrayFilter ArrayFirst ArrayInsert ArrayIntersect ArrayLast
    ArrayMax ArrayMin ArrayOverlaps ArrayPosition ArrayPrepend ArrayRemove ArrayRemoveAt ArrayReverse ArraySize ArraySlice ArraySort
    ArraySum ArrayToString ArrayUnionAgg ArrayUniqueAgg ArraysZip Ascii Asin Asinh Atan Atan2 Atanh Avg Base64DecodeBinary
    Base64DecodeString Base64Encode BitLength BitmapBitPosition BitmapBucketNumber BitmapConstructAgg BitmapCount BitmapOrAgg
    BitwiseAndAgg BitwiseCount BitwiseOrAgg BitwiseXorAgg Booland Boolnot Boolor BoolxorAgg ByteLength Case Cast CastToStrType Cbrt Ceil
    CheckJson CheckXml Chr CityHash64 Coalesce CodePointsToBytes CodePointsToString Collate Collation Columns Compress Concat ConcatWs
    ConnectByRoot Contains Convert ConvertTimezone ConvertToCharset Corr Cos Cosh CosineDistance Cot Coth Count CountIf CovarPop CovarSamp
    Csc Csch CumeDist CurrentAccount CurrentAccountName CurrentAvailableRoles CurrentCatalog CurrentClient CurrentDatabase CurrentDate
    CurrentDatetime CurrentIpAddress CurrentOrganizationName CurrentOrganizationUser CurrentRegion CurrentRole CurrentRoleType
    CurrentSchema CurrentSchemas CurrentSecondaryRoles CurrentSession CurrentTime CurrentTimestamp CurrentTimestampLTZ CurrentTimezone
    CurrentTransaction CurrentUser CurrentUserId CurrentVersion CurrentWarehouse Date DateAdd DateBin DateDiff DateFromParts
    DateFromUnixDate DateStrToDate DateSub DateToDateStr DateToDi DateTrunc Datetime DatetimeAdd DatetimeDiff DatetimeSub DatetimeTrunc
    Day DayOfMonth DayOfWeek DayOfWeekIso DayOfYear Dayname Decode DecodeCase DecompressBinary DecompressString Decrypt DecryptRaw Degrees
    DenseRank DiToDate DotProduct Elt Encode Encrypt EncryptRaw EndsWith EqualNull EuclideanDistance Exists Exp Explode
    ExplodingGenerateSeries Extract Factorial FarmFingerprint First FirstValue Flatten Float64 Floor Format FromBase FromBase32 FromBase64
    FromISO8601Date FromISO8601Timestamp FromISO8601TimestampNanos FromJson GenerateDateArray GenerateSeries GenerateTimestampArray
    Generator GetExtract GetIgnoreCase Getbit Greatest GroupConcat Grouping GroupingId Hex HexDecodeString Hll Host Hour If Initcap Inline
    Int64 IsArray IsAscii IsInf IsNan IsNullValue JSONArray JSONArrayAgg JSONArrayAppend JSONArrayContains JSONArrayInsert JSONBContains
    JSONBContainsAllTopKeys JSONBContainsAnyTopKeys JSONBContainsTopKey JSONBDeleteAtPath JSONBExists JSONBExtract JSONBExtractScalar
    JSONBObjectAgg JSONBPathExists JSONBool JSONCast JSONExists JSONExtract JSONExtractArray JSONExtractScalar JSONFormat JSONKeys
    JSONKeysAtDepth JSONObject JSONObjectAgg JSONRemove JSONSet JSONStripNulls JSONTable JSONType JSONValueArray JarowinklerSimilarity
    JustifyDays JustifyHours JustifyInterval Kurtosis Lag Last LastDay LastValue LaxBool LaxFloat64 LaxInt64 LaxString Lead Least Left
    Length Levenshtein List Ln Localtime Localtimestamp Log LogicalAnd LogicalOr Lower LowerHex MD5 MD5Digest MD5NumberLower64
    MD5NumberUpper64 MakeInterval ManhattanDistance Map MapCat MapContainsKey MapDelete MapFromEntries MapInsert MapKeys MapPick MapSize
    MatchAgainst Max Median Min Minhash MinhashCombine Minute Mode Month Monthname MonthsBetween Nanvl Negative NetFunc NextDay Normal
    Normalize NthValue Ntile Nullif NumberToStr Nvl2 ObjectAgg ObjectInsert ObjectTransform OpenJSON Or Overlay Pad ParseBignumeric
    ParseDatetime ParseIp ParseJSON ParseNumeric ParseTime ParseUrl PercentRank PercentileCont PercentileDisc Pi Posexplode
    PosexplodeOuter Pow PreviousDay Quantile Quarter Radians Rand Randn Randstr RangeBucket RangeN Rank Reduce RegDomain RegexpCount
    RegexpExtract RegexpExtractAll RegexpFullMatch RegexpILike RegexpInstr RegexpLike RegexpReplace RegexpSplit RegexpSubstr RegrAvgx
    RegrAvgy RegrCount RegrIntercept RegrR2 RegrSlope RegrSxx RegrSxy RegrSyy RegrValx RegrValy Repeat Replace Reverse Right Rint Round
    RowNumber RtrimmedLength SHA SHA1Digest SHA2 SHA2Digest SafeAdd SafeConvertBytesToString SafeDivide SafeMultiply SafeNegate
    SafeSubtract Search SearchIp Sec Sech Second Seq1 Seq2 Seq4 Seq8 SessionUser Shuffle Sign Sin Sinh Skewness Soundex SoundexP123 Space
    Split SplitPart SplitToTable Sqrt StDistance StPoint Stack StandardHash StarMap StartsWith Stddev StddevPop StddevSamp StrPosition
    StrToDate StrToMap StrToTime StrToUnix String StringToArray StripNullValue Strtok StrtokSplitToTable StrtokToArray Struct
    StructExtract Stuff Substring SubstringIndex Sum Systimestamp Tan Tanh Time TimeAdd TimeDiff TimeFromParts TimeSlice TimeStrToDate
    TimeStrToTime TimeStrToUnix TimeSub TimeToStr TimeToTimeStr TimeToUnix TimeTrunc Timestamp TimestampAdd TimestampDiff
    TimestampFromParts TimestampLtzFromParts TimestampSub TimestampTrunc TimestampTzFromParts ToArray ToBase32 ToBase64 ToBinary ToBoolean
    ToChar ToCodePoints ToDays ToDecfloat ToDouble ToMap ToNumber ToVariant Transform Translate Trim Trunc Try TryBase64DecodeBinary
    TryBase64DecodeString TryCast TryHexDecodeBinary TryHexDecodeString TryToDecfloat TsOrDiToDi TsOrDsAdd TsOrDsDiff TsOrDsToDate
    TsOrDsToDateStr TsOrDsToDatetime TsOrDsToTime TsOrDsToTimestamp Typeof Unhex Unicode Uniform UnixDate UnixMicros UnixMillis
    UnixSeconds UnixToStr UnixToTime UnixToTimeStr Unnest Upper UtcDate UtcTime UtcTimestamp Uuid VarMap Variance VariancePop Week
    WeekOfYear WeekStart WeightString WidthBucket XMLElement XMLGet XMLTable Xor Year YearOfWeek YearOfWeekIso Zipf
    """
)

TABLES_BY_CLASS: Final = _words(
    """
    Explode ExplodingGenerateSeries Flatten GenerateDateArray GenerateSeries GenerateTimestampArray Generator Inline JSONTable OpenJSON
    Posexplode PosexplodeOuter SplitToTable Stack StrtokSplitToTable Unnest XMLTable
    """
)

_LISTS: Final = """
    list_any_value list_avg list_bit_and list_bit_or list_bit_xor list_bool_and list_bool_or list_cat list_cosine_similarity list_count
    list_dot_product list_element list_entropy list_extract list_first list_grade_up list_has_all list_histogram list_indexof
    list_inner_product list_intersect list_kurtosis list_last list_mad list_median list_mode list_pack list_position list_product
    list_resize list_reverse list_select list_skewness list_slice list_stddev_pop list_stddev_samp list_string_agg list_sum list_unique
    list_var_pop list_var_samp list_where list_zip list_apply list_reduce array_value array_zip array_extract array_indexof
    array_has_any array_transform array_apply array_reduce array_resize array_select array_unique array_where array_pop_back
    array_pop_front array_push_back array_push_front array_grade_up map_concat map_contains map_entries map_extract
    map_extract_value map_values struct_concat struct_contains struct_extract_at struct_insert struct_keys struct_update struct_values
    row struct_pack union_extract union_tag union_value
"""

BY_NAME: Final[Mapping[str, frozenset[str]]] = {
    "duckdb": _words(
        f"""
        {_LISTS}
        add age ago arbitrary bar base64 bin bit_count bit_position bitstring bitstring_agg century constant_or_null count_star
        damerau_levenshtein date_part date_sub datepart datesub days_in_month decade divide element_at entropy enum_code enum_first
        enum_last enum_range epoch_ns epoch_us equi_width_bins era even favg fdiv fill fmod format_bytes from_binary fsum gamma gcd
        generate_subscripts geomean geometric_mean get_current_timestamp greatest_common_divisor hamming hash histogram
        histogram_exact isfinite isoyear jaccard jaro_similarity json_array_length json_contains json_each json_exists
        json_group_array json_group_object json_group_structure json_insert json_merge_patch json_pretty json_quote json_replace
        json_structure json_transform json_transform_strict json_tree json_valid json_value julian kahan_sum kurtosis_pop lcm
        least_common_multiple left_grapheme length_grapheme lgamma like_escape list_value lttb mad make_timestamp_ms
        make_timestamp_ns make_timestamptz md5_number mean microsecond millennium millisecond mismatches multiply nanosecond
        nextafter nfc_normalize normalized_interval not_like_escape now octet_length ord parse_dirname parse_filename parse_path
        pg_size_pretty pg_typeof prefix printf product rank_dense range regexp_escape regexp_split_to_array regexp_split_to_table
        repeat_row reservoir_quantile right_grapheme round_even roundbankers row_to_json sem set_bit signbit strip_accents strlen
        substring_grapheme subtract suffix sumkahan timezone timezone_hour timezone_minute to_base to_centuries to_decades to_hours
        to_json to_microseconds to_millennia to_milliseconds to_minutes to_months to_quarters to_seconds to_weeks to_years
        transaction_timestamp try_strptime unbin url_decode url_encode uuidv4 uuidv7 wavg weekday weighted_avg yearweek
        """
    ),
    "postgres": _words(
        """
        age array_dims array_fill array_lower array_ndims array_positions array_replace array_upper bit_count bool_and bool_or
        cardinality clock_timestamp date_part div erf every factorial gcd generate_subscripts isfinite json_array_elements
        json_array_elements_text json_array_length json_build_array json_build_object json_each json_each_text json_extract_path
        json_extract_path_text json_object json_object_keys json_populate_record json_to_record json_to_recordset json_typeof
        jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each
        jsonb_each_text jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_keys jsonb_path_exists
        jsonb_path_query jsonb_path_query_array jsonb_path_query_first jsonb_pretty jsonb_set jsonb_strip_nulls jsonb_to_record
        jsonb_to_recordset jsonb_typeof lcm lower_inc lower_inf make_date make_make_time make_timestamp make_timestamptz
        min_scale now num_nonnulls num_nulls octet_length pg_typeof phraseto_tsquery plainto_tsquery
        quote_ident quote_literal quote_nullable random_normal range_agg range_merge regexp_match regexp_matches regexp_split_to_array
        regexp_split_to_table row row_to_json scale string_to_table strip strpos to_ascii to_hex to_json to_jsonb to_timestamp
        to_tsquery to_tsvector transaction_timestamp trim_array trim_scale ts_headline ts_rank ts_rank_cd tsvector_to_array unistr
        upper_inc upper_inf websearch_to_tsquery word_similarity similarity
        """
    ),
    "snowflake": _words(
        """
        array_flatten array_generate_range as_array as_object as_varchar as_integer as_double as_decimal booland_agg boolor_agg
        charindex dateadd datediff div0 div0null editdistance hash haversine is_array is_boolean is_date is_decimal is_integer
        is_null_value is_object is_real is_timestamp_ntz is_varchar jaccard_index object_delete object_keys object_pick
        object_construct object_construct_keep_null parse_json ratio_to_report regr_valx sha1_hex sha2_hex strip_null_value sysdate
        timeadd to_array to_object to_variant to_geography try_parse_json try_to_boolean try_to_date try_to_decimal try_to_double
        try_to_number try_to_numeric try_to_time try_to_timestamp try_to_timestamp_ntz zeroifnull st_x st_y st_dwithin
        """
    ),
    "sqlite": _words(
        """
        iif instr json json_array json_array_length json_each json_extract json_insert json_object json_patch json_quote json_remove
        json_replace json_set json_tree json_type json_valid julianday likelihood likely printf quote sha3 strftime timediff total
        unixepoch unlikely datetime date time group_concat json_group_array json_group_object concat_ws
        """
    ),
    "mysql": _words(
        """
        addtime any_value bin bit_count conv crc32 datediff export_set field find_in_set from_days hex inet_aton inet_ntoa interval
        json_array json_array_length json_contains json_depth json_length json_merge_patch json_merge_preserve json_object json_overlaps
        json_pretty json_quote json_search json_unquote json_valid json_value locate make_set makedate maketime microsecond mid now
        oct octet_length ord period_add period_diff position quote sec_to_time str_to_date subtime strcmp sysdate time_to_sec timediff
        to_seconds unix_timestamp utc_date weekday yearweek
        """
    ),
    "databricks": _words(
        """
        aggregate array_repeat array_union array_join bit_get bool_and bool_or bround cardinality conv date_part dayofweek
        double filter find_in_set flatten float forall format_number from_unixtime from_utc_timestamp hash int isnan isnotnull isnull
        json_array_length json_object_keys make_date make_timestamp map_concat map_entries map_filter map_from_arrays map_values
        map_zip_with named_struct now nullif percentile percentile_approx pmod positive regr_count schema_of_json sequence shiftleft
        shiftright size std to_json to_utc_timestamp transform_keys transform_values try_divide try_element_at unix_timestamp uuid
        xxhash64 zip_with
        """
    ),
    "trino": _words(
        """
        all_match any_match array_join array_sort array_union at_timezone bar beta_cdf bool_and bool_or cardinality checksum codepoint
        color combinations cosine_similarity date_format date_parse element_at filter from_hex from_iso8601_timestamp from_unixtime
        from_utf8 hamming_distance histogram human_readable_seconds infinity json_array_get json_array_length json_extract
        json_extract_scalar json_format json_parse json_size line_interpolate_point map_agg map_concat map_entries map_filter map_union
        map_values max_by min_by multimap_agg nan ngrams none_match normal_cdf now numeric_histogram parse_duration random
        reduce regexp_position rgb sequence slice split_to_map strpos timezone_hour to_hex to_iso8601 to_milliseconds to_unixtime
        to_utf8 transform_keys transform_values trim_array typeof url_extract_host url_extract_path url_extract_query width_bucket
        word_stem xxhash64 zip zip_with
        """
    ),
    "bigquery": _words(
        """
        array_is_distinct bit_count code_points_to_bytes error_free format_date format_datetime format_timestamp generate_array
        ieee_divide instr json_query json_query_array json_value json_value_array logical_and logical_or normalize_and_casefold
        offset ordinal parse_date parse_timestamp range_bucket safe_cast safe_offset safe_ordinal st_geogpoint st_distance
        timestamp_millis timestamp_micros timestamp_seconds to_json to_json_string unix_date unix_millis
        """
    ),
}

TABLES_BY_NAME: Final[Mapping[str, frozenset[str]]] = {
    "duckdb": _words("generate_subscripts json_each json_tree range regexp_split_to_table repeat_row"),
    "postgres": _words(
        """
        generate_subscripts json_array_elements json_array_elements_text json_each json_each_text json_object_keys json_populate_record
        json_to_record json_to_recordset jsonb_array_elements jsonb_array_elements_text jsonb_each jsonb_each_text jsonb_object_keys
        jsonb_path_query jsonb_to_record jsonb_to_recordset regexp_matches regexp_split_to_table string_to_table
        """
    ),
    "sqlite": _words("json_each json_tree"),
}
