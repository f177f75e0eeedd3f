// What a dashboard of deploy/grafana must be: the types of @grafana/schema, tighter where they say nothing.
// `tests/drills/dashboards` appends each dashboard and each panel as a constant of these types, and compiles.
// The schema leaves `unknown`: targets, options and custom fields of panels (here: those of the panel's own schema, and
// what Prometheus and PostgreSQL take), values of overrides and options of transformations (not checked at all).
import type {
  Dashboard, DashboardLink, DataSourceRef, FieldConfig, GraphFieldConfig, MatcherConfig, Panel, RowPanel, TableFieldOptions,
} from '@grafana/schema';
import type { AnnotationQuery, VariableModel } from '@grafana/schema/dist/types/raw/dashboard/x/dashboard_types.gen.d.ts';
import type { Options as StatOptions } from '@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen.d.ts';
import type { Options as TableOptions } from '@grafana/schema/dist/types/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen.d.ts';
import type { Options as TimeSeriesOptions } from '@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen.d.ts';
import type {
  FieldConfig as TimelineFieldConfig, Options as TimelineOptions,
} from '@grafana/schema/dist/types/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen.d.ts';

// JSON has the value of an enum, where TypeScript wants its name.
type Json<T> =
  T extends string ? `${T}`
  : T extends number ? (`${T}` extends `${infer N extends number}` ? N : never)
  : T extends Array<infer One> ? Array<Json<One>>
  : T extends object ? { [Key in keyof T]: Json<T[Key]> }
  : T;

type Prometheus = {
  refId: string; datasource: { type: 'prometheus'; uid: '${datasource}' }; expr: string; legendFormat?: string; format?: 'table';
} & ({ range: true } | { instant: true; range: false });
type PostgreSql = {
  refId: string; datasource: { type: 'grafana-postgresql-datasource'; uid: '${book}' };
  editorMode: 'code'; format: 'table' | 'time_series'; rawQuery: true; rawSql: string;
};

type One<Type extends string, Options, Custom> = Json<Omit<Panel, 'type' | 'options' | 'fieldConfig' | 'targets' | 'links'>> & {
  id: number; type: Type; title: string; description: string; datasource: DataSourceRef;
  targets: Array<Prometheus | PostgreSql>; options: Json<Options>;
  links?: Array<Pick<DashboardLink, 'title' | 'url' | 'targetBlank'>>;
  fieldConfig: {
    defaults: Json<Omit<FieldConfig, 'custom'>> & { custom?: Json<Custom> };
    overrides: Array<{ matcher: Json<MatcherConfig>; properties: Array<{ id: string; value?: unknown }> }>;
  };
};

export type Panels = {
  row: Json<RowPanel>;
  stat: One<'stat', StatOptions, never>;
  table: One<'table', TableOptions, TableFieldOptions>;
  timeseries: One<'timeseries', TimeSeriesOptions, GraphFieldConfig>;
  'state-timeline': One<'state-timeline', TimelineOptions, TimelineFieldConfig>;
};

// An annotation has its query beside the schema's own members.
type Annotation = Json<AnnotationQuery> & { expr?: string; step?: string; titleFormat?: string; textFormat?: string; tagKeys?: string };
export type Whole = Omit<Json<Dashboard>, 'panels' | 'annotations' | 'templating'> & {
  panels: []; annotations: { list: Annotation[] }; templating: { list: Array<Json<VariableModel>> };
};
