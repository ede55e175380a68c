{#-
    The bucket, 0 to 9,999, of a user in a campaign: who belongs to the holdout is decided by it, for ever and on every
    engine. The same number as `models_ml.experiments.bucket` gives.
-#}
{% macro holdout_bucket(campaign_id, user_id) -%}
    {{ return(adapter.dispatch('holdout_bucket')(campaign_id, user_id)) }}
{%- endmacro %}
{% macro duckdb__holdout_bucket(campaign_id, user_id) -%}
    (cast('0x' || substr(md5({{ campaign_id }} || '|' || {{ user_id }}), 1, 8) as bigint) % 10000)
{%- endmacro %}
{% macro spark__holdout_bucket(campaign_id, user_id) -%}
    (cast(conv(substr(md5({{ campaign_id }} || '|' || {{ user_id }}), 1, 8), 16, 10) as bigint) % 10000)
{%- endmacro %}
