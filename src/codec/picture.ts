import { naturalNumber, positiveInteger, withDefault } from './fields.ts'

/** What a network over pictures works on, in pixels. */
export const pictureFields = {
  in_channels: positiveInteger,
  height: positiveInteger,
  width: positiveInteger,
  /** 0 where pictures have no class. The id after the last means none. */
  num_classes: withDefault(naturalNumber, 0),
}
